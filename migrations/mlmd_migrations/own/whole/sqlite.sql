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
);
CREATE TABLE IF NOT EXISTS mlmd_exact_values (
    type_kind BIGINT NOT NULL,
    node_id BIGINT NOT NULL,
    is_custom_property BIGINT NOT NULL,
    name VARCHAR(255) NOT NULL,
    stand_in TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (type_kind, node_id, is_custom_property, name)
);
CREATE TABLE IF NOT EXISTS mlmd_receipts (
    idempotency_key VARCHAR(255) NOT NULL,
    method VARCHAR(255) NOT NULL,
    request_sha256 BLOB NOT NULL,
    response BLOB NOT NULL,
    create_ms BIGINT NOT NULL,
    PRIMARY KEY (idempotency_key)
);
CREATE INDEX idx_mlmd_receipts_create_ms ON mlmd_receipts (create_ms);
CREATE TABLE IF NOT EXISTS mlmd_collections (
    context_id BIGINT NOT NULL,
    latest_number BIGINT NOT NULL,
    move_sequence BIGINT NOT NULL,
    PRIMARY KEY (context_id)
);
CREATE TABLE IF NOT EXISTS mlmd_versions (
    context_id BIGINT NOT NULL,
    number BIGINT NOT NULL,
    artifact_id BIGINT NOT NULL,
    create_ms BIGINT NOT NULL,
    PRIMARY KEY (context_id, number)
);
CREATE INDEX idx_mlmd_versions_artifact_id ON mlmd_versions (artifact_id);
CREATE TABLE IF NOT EXISTS mlmd_aliases (
    context_id BIGINT NOT NULL,
    alias VARCHAR(255) NOT NULL,
    number BIGINT NOT NULL,
    PRIMARY KEY (context_id, alias)
);
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
);
CREATE TABLE IF NOT EXISTS mlmd_series (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    type_kind BIGINT NOT NULL,
    node_id BIGINT NOT NULL,
    name VARCHAR(255) NOT NULL,
    slice VARCHAR(255) NOT NULL
);
CREATE UNIQUE INDEX idx_mlmd_series_owner ON mlmd_series (type_kind, node_id, name, slice);
CREATE TABLE IF NOT EXISTS mlmd_series_segments (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    series_id BIGINT NOT NULL,
    first_step BIGINT NOT NULL,
    first_ms BIGINT NOT NULL,
    last_step BIGINT NOT NULL,
    last_ms BIGINT NOT NULL,
    points BIGINT NOT NULL,
    content BLOB NOT NULL
);
CREATE INDEX idx_mlmd_series_segments_series ON mlmd_series_segments (series_id, first_step, first_ms);
CREATE TABLE IF NOT EXISTS mlmd_evaluations (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    type_kind BIGINT NOT NULL,
    node_id BIGINT NOT NULL,
    name VARCHAR(255) NOT NULL,
    slice VARCHAR(255) NOT NULL,
    labels TEXT NOT NULL,
    curves TEXT NOT NULL,
    update_ms BIGINT NOT NULL
);
CREATE UNIQUE INDEX idx_mlmd_evaluations_owner ON mlmd_evaluations (type_kind, node_id, name, slice);
CREATE TABLE IF NOT EXISTS mlmd_evaluation_parts (
    evaluation_id BIGINT NOT NULL,
    item BIGINT NOT NULL,
    part BIGINT NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (evaluation_id, item, part)
);
CREATE TABLE IF NOT EXISTS mlmd_manifests (
    artifact_id BIGINT NOT NULL,
    root_uri TEXT NOT NULL,
    key_prefix TEXT NOT NULL,
    is_external BIGINT NOT NULL,
    file_count BIGINT NOT NULL,
    size_bytes BIGINT NOT NULL,
    digest BLOB NOT NULL,
    create_ms BIGINT NOT NULL,
    PRIMARY KEY (artifact_id)
);
CREATE INDEX idx_mlmd_manifests_digest ON mlmd_manifests (digest);
CREATE TABLE IF NOT EXISTS mlmd_files (
    artifact_id BIGINT NOT NULL,
    path BLOB NOT NULL,
    size_bytes BIGINT NOT NULL,
    sha256 BLOB NOT NULL,
    verified_ms BIGINT NOT NULL,
    etag VARCHAR(255) NOT NULL,
    media_type VARCHAR(255) NOT NULL,
    PRIMARY KEY (artifact_id, path)
);
CREATE TABLE IF NOT EXISTS mlmd_uploads (
    artifact_id BIGINT NOT NULL,
    state BIGINT NOT NULL,
    root_uri TEXT NOT NULL,
    key_prefix TEXT NOT NULL,
    file_count BIGINT NOT NULL,
    size_bytes BIGINT NOT NULL,
    digest BLOB NOT NULL,
    collection TEXT NOT NULL,
    subject VARCHAR(255) NOT NULL,
    create_ms BIGINT NOT NULL,
    PRIMARY KEY (artifact_id)
);
CREATE TABLE IF NOT EXISTS mlmd_upload_files (
    artifact_id BIGINT NOT NULL,
    path BLOB NOT NULL,
    size_bytes BIGINT NOT NULL,
    sha256 BLOB NOT NULL,
    md5s BLOB NOT NULL,
    part_size_bytes BIGINT NOT NULL,
    media_type VARCHAR(255) NOT NULL,
    parts_name TEXT NOT NULL,
    source_key TEXT NOT NULL,
    source_etag VARCHAR(255) NOT NULL,
    PRIMARY KEY (artifact_id, path)
);
CREATE TABLE IF NOT EXISTS mlmd_tombstones (
    type_kind BIGINT NOT NULL,
    node_id BIGINT NOT NULL,
    what BIGINT NOT NULL,
    subject VARCHAR(255) NOT NULL,
    reason TEXT NOT NULL,
    file_count BIGINT NOT NULL,
    size_bytes BIGINT NOT NULL,
    delete_ms BIGINT NOT NULL,
    PRIMARY KEY (type_kind, node_id, what)
);
CREATE TABLE IF NOT EXISTS mlmd_pins (
    artifact_id BIGINT NOT NULL,
    subject VARCHAR(255) NOT NULL,
    reason TEXT NOT NULL,
    create_ms BIGINT NOT NULL,
    PRIMARY KEY (artifact_id)
);
CREATE TABLE IF NOT EXISTS mlmd_deletions (
    artifact_id BIGINT NOT NULL,
    key_prefix TEXT NOT NULL,
    until_ms BIGINT NOT NULL,
    create_ms BIGINT NOT NULL,
    PRIMARY KEY (artifact_id)
);
CREATE TABLE IF NOT EXISTS mlmd_leases (
    name VARCHAR(255) NOT NULL,
    holder VARCHAR(255) NOT NULL,
    until_ms BIGINT NOT NULL,
    PRIMARY KEY (name)
);
CREATE TABLE IF NOT EXISTS mlmd_model_versions (
    version_id BIGINT NOT NULL,
    model_id BIGINT NOT NULL,
    number BIGINT NOT NULL,
    model_artifact_id BIGINT NOT NULL,
    subject VARCHAR(255) NOT NULL,
    create_ms BIGINT NOT NULL,
    PRIMARY KEY (version_id)
);
CREATE UNIQUE INDEX idx_mlmd_model_versions_number ON mlmd_model_versions (model_id, number);
CREATE INDEX idx_mlmd_model_versions_artifact ON mlmd_model_versions (model_artifact_id);
CREATE INDEX idx_mlmd_alias_moves_alias ON mlmd_alias_moves (context_id, alias, sequence);
CREATE TABLE IF NOT EXISTS mlmd_move_outcomes (
    context_id BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    stands BIGINT NOT NULL,
    "before" BIGINT NOT NULL,
    rolls_back BIGINT NOT NULL,
    is_overridden BIGINT NOT NULL,
    gates BLOB NOT NULL,
    PRIMARY KEY (context_id, sequence)
);
CREATE TABLE IF NOT EXISTS mlmd_gates (
    model_id BIGINT NOT NULL,
    alias VARCHAR(255) NOT NULL,
    position BIGINT NOT NULL,
    rule TEXT NOT NULL,
    PRIMARY KEY (model_id, alias, position)
);
CREATE TABLE IF NOT EXISTS mlmd_approvals (
    version_id BIGINT NOT NULL,
    subject VARCHAR(255) NOT NULL,
    reason TEXT NOT NULL,
    create_ms BIGINT NOT NULL,
    PRIMARY KEY (version_id, subject)
);
CREATE TABLE IF NOT EXISTS mlmd_webhooks (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    model_id BIGINT NOT NULL,
    url TEXT NOT NULL,
    secret TEXT NOT NULL,
    subject VARCHAR(255) NOT NULL,
    create_ms BIGINT NOT NULL
);
CREATE TABLE IF NOT EXISTS mlmd_deliveries (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    webhook_id BIGINT NOT NULL,
    model_id BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    state BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    due_ms BIGINT NOT NULL,
    last_status BIGINT NOT NULL,
    problem TEXT NOT NULL,
    create_ms BIGINT NOT NULL,
    body BLOB NOT NULL
);
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
    reason TEXT NOT NULL,
    subject VARCHAR(255) NOT NULL,
    PRIMARY KEY (execution_id)
);
CREATE UNIQUE INDEX idx_mlmd_runs_token ON mlmd_runs (token);
CREATE UNIQUE INDEX idx_mlmd_runs_number ON mlmd_runs (context_id, step, number);
CREATE INDEX idx_mlmd_runs_lapse ON mlmd_runs (lapse_ms);
CREATE TABLE IF NOT EXISTS mlmd_imports (
    import_id VARCHAR(64) NOT NULL,
    store_uuid VARCHAR(64) NOT NULL,
    subject VARCHAR(255) NOT NULL,
    create_ms BIGINT NOT NULL,
    PRIMARY KEY (import_id)
);
CREATE TABLE IF NOT EXISTS mlmd_import_parts (
    import_id VARCHAR(64) NOT NULL,
    number BIGINT NOT NULL,
    part BIGINT NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (import_id, number, part)
);
CREATE TABLE IF NOT EXISTS mlmd_imported (
    store_uuid VARCHAR(64) NOT NULL,
    type_kind BIGINT NOT NULL,
    origin_id BIGINT NOT NULL,
    node_id BIGINT NOT NULL,
    is_shared BIGINT NOT NULL,
    PRIMARY KEY (store_uuid, type_kind, origin_id)
);
CREATE TABLE IF NOT EXISTS mlmd_restores (
    artifact_id BIGINT NOT NULL,
    root_uri TEXT NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (artifact_id)
);
CREATE TABLE IF NOT EXISTS mlmd_claims (
    root_sha256 BLOB NOT NULL,
    root_uri TEXT NOT NULL,
    claim_ms BIGINT NOT NULL,
    PRIMARY KEY (root_sha256)
);
INSERT INTO mlmd_alembic_version (version_num) VALUES ('v0009');
