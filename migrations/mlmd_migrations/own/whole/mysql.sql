CREATE TABLE mlmd_alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT mlmd_alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE IF NOT EXISTS mlmd_store (
    id BIGINT NOT NULL,
    store_uuid VARCHAR(36) NOT NULL,
    text_mode VARCHAR(16) NOT NULL,
    create_ms BIGINT NOT NULL,
    PRIMARY KEY (id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE IF NOT EXISTS mlmd_exact_values (
    type_kind BIGINT NOT NULL,
    node_id BIGINT NOT NULL,
    is_custom_property BIGINT NOT NULL,
    name VARCHAR(255) NOT NULL,
    stand_in LONGTEXT NOT NULL,
    value LONGBLOB NOT NULL,
    PRIMARY KEY (type_kind, node_id, is_custom_property, name)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE IF NOT EXISTS mlmd_receipts (
    idempotency_key VARCHAR(255) NOT NULL,
    method VARCHAR(255) NOT NULL,
    request_sha256 VARBINARY(32) NOT NULL,
    response LONGBLOB NOT NULL,
    create_ms BIGINT NOT NULL,
    PRIMARY KEY (idempotency_key)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE INDEX idx_mlmd_receipts_create_ms ON mlmd_receipts (create_ms);
CREATE TABLE IF NOT EXISTS mlmd_collections (
    context_id BIGINT NOT NULL,
    latest_number BIGINT NOT NULL,
    move_sequence BIGINT NOT NULL,
    PRIMARY KEY (context_id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE IF NOT EXISTS mlmd_versions (
    context_id BIGINT NOT NULL,
    number BIGINT NOT NULL,
    artifact_id BIGINT NOT NULL,
    create_ms BIGINT NOT NULL,
    PRIMARY KEY (context_id, number)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE INDEX idx_mlmd_versions_artifact_id ON mlmd_versions (artifact_id);
CREATE TABLE IF NOT EXISTS mlmd_aliases (
    context_id BIGINT NOT NULL,
    alias VARCHAR(255) NOT NULL,
    number BIGINT NOT NULL,
    PRIMARY KEY (context_id, alias)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE IF NOT EXISTS mlmd_alias_moves (
    context_id BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    alias VARCHAR(255) NOT NULL,
    from_number BIGINT NOT NULL,
    to_number BIGINT NOT NULL,
    subject VARCHAR(255) NOT NULL,
    reason TEXT NOT NULL,
    move_ms BIGINT NOT NULL,
    PRIMARY KEY (context_id, sequence)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE IF NOT EXISTS mlmd_series (
    id BIGINT NOT NULL AUTO_INCREMENT,
    type_kind BIGINT NOT NULL,
    node_id BIGINT NOT NULL,
    name VARCHAR(255) NOT NULL,
    slice VARCHAR(255) NOT NULL,
    PRIMARY KEY (id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE UNIQUE INDEX idx_mlmd_series_owner ON mlmd_series (type_kind, node_id, name, slice);
CREATE TABLE IF NOT EXISTS mlmd_series_segments (
    id BIGINT NOT NULL AUTO_INCREMENT,
    series_id BIGINT NOT NULL,
    first_step BIGINT NOT NULL,
    first_ms BIGINT NOT NULL,
    last_step BIGINT NOT NULL,
    last_ms BIGINT NOT NULL,
    points BIGINT NOT NULL,
    content LONGBLOB NOT NULL,
    PRIMARY KEY (id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE INDEX idx_mlmd_series_segments_series ON mlmd_series_segments (series_id, first_step, first_ms);
CREATE TABLE IF NOT EXISTS mlmd_evaluations (
    id BIGINT NOT NULL AUTO_INCREMENT,
    type_kind BIGINT NOT NULL,
    node_id BIGINT NOT NULL,
    name VARCHAR(255) NOT NULL,
    slice VARCHAR(255) NOT NULL,
    labels LONGTEXT NOT NULL,
    curves LONGTEXT NOT NULL,
    update_ms BIGINT NOT NULL,
    PRIMARY KEY (id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE UNIQUE INDEX idx_mlmd_evaluations_owner ON mlmd_evaluations (type_kind, node_id, name, slice);
CREATE TABLE IF NOT EXISTS mlmd_evaluation_parts (
    evaluation_id BIGINT NOT NULL,
    item BIGINT NOT NULL,
    part BIGINT NOT NULL,
    content LONGBLOB NOT NULL,
    PRIMARY KEY (evaluation_id, item, part)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE IF NOT EXISTS mlmd_manifests (
    artifact_id BIGINT NOT NULL,
    root_uri LONGTEXT NOT NULL,
    key_prefix LONGTEXT NOT NULL,
    is_external BIGINT NOT NULL,
    file_count BIGINT NOT NULL,
    size_bytes BIGINT NOT NULL,
    digest VARBINARY(32) NOT NULL,
    create_ms BIGINT NOT NULL,
    PRIMARY KEY (artifact_id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE INDEX idx_mlmd_manifests_digest ON mlmd_manifests (digest);
CREATE TABLE IF NOT EXISTS mlmd_files (
    artifact_id BIGINT NOT NULL,
    path VARBINARY(1024) NOT NULL,
    size_bytes BIGINT NOT NULL,
    sha256 VARBINARY(32) NOT NULL,
    verified_ms BIGINT NOT NULL,
    etag VARCHAR(255) NOT NULL,
    media_type VARCHAR(255) NOT NULL,
    PRIMARY KEY (artifact_id, path)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE IF NOT EXISTS mlmd_uploads (
    artifact_id BIGINT NOT NULL,
    state BIGINT NOT NULL,
    root_uri LONGTEXT NOT NULL,
    key_prefix LONGTEXT NOT NULL,
    file_count BIGINT NOT NULL,
    size_bytes BIGINT NOT NULL,
    digest VARBINARY(32) NOT NULL,
    collection LONGTEXT NOT NULL,
    subject VARCHAR(255) NOT NULL,
    create_ms BIGINT NOT NULL,
    PRIMARY KEY (artifact_id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE IF NOT EXISTS mlmd_upload_files (
    artifact_id BIGINT NOT NULL,
    path VARBINARY(1024) NOT NULL,
    size_bytes BIGINT NOT NULL,
    sha256 VARBINARY(32) NOT NULL,
    md5s LONGBLOB NOT NULL,
    part_size_bytes BIGINT NOT NULL,
    media_type VARCHAR(255) NOT NULL,
    parts_name LONGTEXT NOT NULL,
    source_key LONGTEXT NOT NULL,
    source_etag VARCHAR(255) NOT NULL,
    PRIMARY KEY (artifact_id, path)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE IF NOT EXISTS mlmd_tombstones (
    type_kind BIGINT NOT NULL,
    node_id BIGINT NOT NULL,
    what BIGINT NOT NULL,
    subject VARCHAR(255) NOT NULL,
    reason LONGTEXT NOT NULL,
    file_count BIGINT NOT NULL,
    size_bytes BIGINT NOT NULL,
    delete_ms BIGINT NOT NULL,
    PRIMARY KEY (type_kind, node_id, what)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE IF NOT EXISTS mlmd_pins (
    artifact_id BIGINT NOT NULL,
    subject VARCHAR(255) NOT NULL,
    reason LONGTEXT NOT NULL,
    create_ms BIGINT NOT NULL,
    PRIMARY KEY (artifact_id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE IF NOT EXISTS mlmd_deletions (
    artifact_id BIGINT NOT NULL,
    key_prefix LONGTEXT NOT NULL,
    until_ms BIGINT NOT NULL,
    create_ms BIGINT NOT NULL,
    PRIMARY KEY (artifact_id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE IF NOT EXISTS mlmd_leases (
    name VARCHAR(255) NOT NULL,
    holder VARCHAR(255) NOT NULL,
    until_ms BIGINT NOT NULL,
    PRIMARY KEY (name)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE IF NOT EXISTS mlmd_model_versions (
    version_id BIGINT NOT NULL,
    model_id BIGINT NOT NULL,
    number BIGINT NOT NULL,
    model_artifact_id BIGINT NOT NULL,
    subject VARCHAR(255) NOT NULL,
    create_ms BIGINT NOT NULL,
    PRIMARY KEY (version_id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE UNIQUE INDEX idx_mlmd_model_versions_number ON mlmd_model_versions (model_id, number);
CREATE INDEX idx_mlmd_model_versions_artifact ON mlmd_model_versions (model_artifact_id);
CREATE INDEX idx_mlmd_alias_moves_alias ON mlmd_alias_moves (context_id, alias, sequence);
CREATE TABLE IF NOT EXISTS mlmd_move_outcomes (
    context_id BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    stands BIGINT NOT NULL,
    `before` BIGINT NOT NULL,
    rolls_back BIGINT NOT NULL,
    is_overridden BIGINT NOT NULL,
    gates LONGBLOB NOT NULL,
    PRIMARY KEY (context_id, sequence)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE IF NOT EXISTS mlmd_gates (
    model_id BIGINT NOT NULL,
    alias VARCHAR(255) NOT NULL,
    `position` BIGINT NOT NULL,
    rule LONGTEXT NOT NULL,
    PRIMARY KEY (model_id, alias, `position`)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE IF NOT EXISTS mlmd_approvals (
    version_id BIGINT NOT NULL,
    subject VARCHAR(255) NOT NULL,
    reason LONGTEXT NOT NULL,
    create_ms BIGINT NOT NULL,
    PRIMARY KEY (version_id, subject)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE IF NOT EXISTS mlmd_webhooks (
    id BIGINT NOT NULL AUTO_INCREMENT,
    model_id BIGINT NOT NULL,
    url LONGTEXT NOT NULL,
    secret LONGTEXT NOT NULL,
    subject VARCHAR(255) NOT NULL,
    create_ms BIGINT NOT NULL,
    PRIMARY KEY (id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE IF NOT EXISTS mlmd_deliveries (
    id BIGINT NOT NULL AUTO_INCREMENT,
    webhook_id BIGINT NOT NULL,
    model_id BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    state BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    due_ms BIGINT NOT NULL,
    last_status BIGINT NOT NULL,
    problem LONGTEXT NOT NULL,
    create_ms BIGINT NOT NULL,
    `body` LONGBLOB NOT NULL,
    PRIMARY KEY (id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE INDEX idx_mlmd_deliveries_due ON mlmd_deliveries (state, due_ms);
CREATE INDEX idx_mlmd_deliveries_webhook ON mlmd_deliveries (webhook_id, id);
CREATE TABLE IF NOT EXISTS mlmd_runs (
    execution_id BIGINT NOT NULL,
    context_id BIGINT NOT NULL,
    step VARCHAR(255) NOT NULL,
    number BIGINT NOT NULL,
    token VARCHAR(255) NOT NULL,
    join_key VARCHAR(255) NOT NULL,
    timeout_ms BIGINT NOT NULL,
    start_ms BIGINT NOT NULL,
    heartbeat_ms BIGINT NOT NULL,
    lapse_ms BIGINT NOT NULL,
    end_ms BIGINT NOT NULL,
    lost BIGINT NOT NULL,
    reason LONGTEXT NOT NULL,
    subject VARCHAR(255) NOT NULL,
    PRIMARY KEY (execution_id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE UNIQUE INDEX idx_mlmd_runs_token ON mlmd_runs (token);
CREATE UNIQUE INDEX idx_mlmd_runs_number ON mlmd_runs (context_id, step, number);
CREATE INDEX idx_mlmd_runs_lapse ON mlmd_runs (lapse_ms);
CREATE TABLE IF NOT EXISTS mlmd_imports (
    import_id VARCHAR(64) NOT NULL,
    store_uuid VARCHAR(64) NOT NULL,
    subject VARCHAR(255) NOT NULL,
    create_ms BIGINT NOT NULL,
    PRIMARY KEY (import_id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE IF NOT EXISTS mlmd_import_parts (
    import_id VARCHAR(64) NOT NULL,
    number BIGINT NOT NULL,
    part BIGINT NOT NULL,
    content LONGBLOB NOT NULL,
    PRIMARY KEY (import_id, number, part)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE IF NOT EXISTS mlmd_imported (
    store_uuid VARCHAR(64) NOT NULL,
    type_kind BIGINT NOT NULL,
    origin_id BIGINT NOT NULL,
    node_id BIGINT NOT NULL,
    is_shared BIGINT NOT NULL,
    PRIMARY KEY (store_uuid, type_kind, origin_id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE IF NOT EXISTS mlmd_restores (
    artifact_id BIGINT NOT NULL,
    root_uri LONGTEXT NOT NULL,
    digest VARBINARY(32) NOT NULL,
    PRIMARY KEY (artifact_id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE IF NOT EXISTS mlmd_claims (
    root_sha256 VARBINARY(32) NOT NULL,
    root_uri LONGTEXT NOT NULL,
    claim_ms BIGINT NOT NULL,
    PRIMARY KEY (root_sha256)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
INSERT INTO mlmd_alembic_version (version_num) VALUES ('v0009');
