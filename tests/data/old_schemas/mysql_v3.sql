CREATE TABLE `Artifact` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `type_id` int(11) NOT NULL,
  `uri` text DEFAULT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=3 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT INTO `Artifact` VALUES
(1,10,'s3://data/Ã¼'),
(2,11,'');
CREATE TABLE `ArtifactProperty` (
  `artifact_id` int(11) NOT NULL,
  `name` varchar(255) NOT NULL,
  `is_custom_property` tinyint(1) NOT NULL,
  `int_value` int(11) DEFAULT NULL,
  `double_value` double DEFAULT NULL,
  `string_value` text DEFAULT NULL,
  PRIMARY KEY (`artifact_id`,`name`,`is_custom_property`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT INTO `ArtifactProperty` VALUES
(1,'any',1,NULL,NULL,NULL),
(1,'flag',0,NULL,NULL,NULL),
(1,'note',0,NULL,NULL,'naÃ¯ve æ•°æ® ðŸ™‚'),
(1,'share',0,NULL,0.25,NULL),
(1,'span',0,2000000000,NULL,NULL),
(1,'tree',1,NULL,NULL,'mlmd-struct::Cg4KAWsSCREAAAAAAADwPw==');
CREATE TABLE `Context` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `type_id` int(11) NOT NULL,
  `name` varchar(255) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `type_id` (`type_id`,`name`)
) ENGINE=InnoDB AUTO_INCREMENT=3 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT INTO `Context` VALUES
(1,13,'run-1'),
(2,13,'run-2');
CREATE TABLE `ContextProperty` (
  `context_id` int(11) NOT NULL,
  `name` varchar(255) NOT NULL,
  `is_custom_property` tinyint(1) NOT NULL,
  `int_value` int(11) DEFAULT NULL,
  `double_value` double DEFAULT NULL,
  `string_value` text DEFAULT NULL,
  PRIMARY KEY (`context_id`,`name`,`is_custom_property`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT INTO `ContextProperty` VALUES
(1,'owner',0,NULL,NULL,'zoÃ«');
CREATE TABLE `Event` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `artifact_id` int(11) NOT NULL,
  `execution_id` int(11) NOT NULL,
  `type` int(11) NOT NULL,
  `milliseconds_since_epoch` bigint(20) DEFAULT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=52 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT INTO `Event` VALUES
(1,1,1,3,4),
(50,1,1,3,5),
(51,1,1,3,6);
CREATE TABLE `EventPath` (
  `event_id` int(11) NOT NULL,
  `is_index_step` tinyint(1) NOT NULL,
  `step_index` int(11) DEFAULT NULL,
  `step_key` text DEFAULT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT INTO `EventPath` VALUES
(1,0,NULL,'examples'),
(1,1,0,NULL),
(50,1,7,NULL),
(51,0,NULL,'last'),
(-1,0,NULL,'nowhere');
CREATE TABLE `Execution` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `type_id` int(11) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=2 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT INTO `Execution` VALUES
(1,12);
CREATE TABLE `ExecutionProperty` (
  `execution_id` int(11) NOT NULL,
  `name` varchar(255) NOT NULL,
  `is_custom_property` tinyint(1) NOT NULL,
  `int_value` int(11) DEFAULT NULL,
  `double_value` double DEFAULT NULL,
  `string_value` text DEFAULT NULL,
  PRIMARY KEY (`execution_id`,`name`,`is_custom_property`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT INTO `ExecutionProperty` VALUES
(1,'rate',0,NULL,0.001,NULL),
(1,'tries',1,-1,NULL,NULL);
CREATE TABLE `MLMDEnv` (
  `schema_version` int(11) NOT NULL,
  PRIMARY KEY (`schema_version`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT INTO `MLMDEnv` VALUES
(3);
CREATE TABLE `Type` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `name` varchar(255) NOT NULL,
  `type_kind` tinyint(1) NOT NULL,
  `input_type` text DEFAULT NULL,
  `output_type` text DEFAULT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=14 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT INTO `Type` VALUES
(1,'mlmd.Dataset',1,NULL,NULL),
(2,'mlmd.Model',1,NULL,NULL),
(3,'mlmd.Metrics',1,NULL,NULL),
(4,'mlmd.Statistics',1,NULL,NULL),
(5,'mlmd.Train',0,NULL,NULL),
(6,'mlmd.Transform',0,NULL,NULL),
(7,'mlmd.Process',0,NULL,NULL),
(8,'mlmd.Evaluate',0,NULL,NULL),
(9,'mlmd.Deploy',0,NULL,NULL),
(10,'Dataset',1,NULL,NULL),
(11,'Dataset',1,NULL,NULL),
(12,'Trainer',0,NULL,NULL),
(13,'Run',2,NULL,NULL);
CREATE TABLE `TypeProperty` (
  `type_id` int(11) NOT NULL,
  `name` varchar(255) NOT NULL,
  `data_type` int(11) DEFAULT NULL,
  PRIMARY KEY (`type_id`,`name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT INTO `TypeProperty` VALUES
(10,'flag',6),
(10,'note',3),
(10,'share',2),
(10,'span',1),
(12,'rate',2),
(13,'owner',3);
