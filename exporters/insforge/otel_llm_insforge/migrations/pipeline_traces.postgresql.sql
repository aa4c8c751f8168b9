-- One row per pipeline run.
-- Row-level security without a policy: only the owner, and InsForge's project_admin (its ik_ keys), can read or write.
-- The public anon key gets nothing.
CREATE TABLE pipeline_traces (
    id SERIAL PRIMARY KEY,
    trace_id UUID NOT NULL UNIQUE,
    pipeline_name VARCHAR(50) NOT NULL,
    telegram_id BIGINT NOT NULL,
    user_id INTEGER,
    start_time TIMESTAMPTZ NOT NULL,
    end_time TIMESTAMPTZ NOT NULL,
    duration_ms NUMERIC(10, 2) NOT NULL,
    success BOOLEAN NOT NULL DEFAULT true,
    error TEXT,
    created_at TIMESTAMPTZ DEFAULT NOW()
);
CREATE INDEX idx_pipeline_traces_telegram_id_created_at ON pipeline_traces (telegram_id, created_at DESC);
CREATE INDEX idx_pipeline_traces_pipeline_name_created_at ON pipeline_traces (pipeline_name, created_at DESC);
CREATE INDEX idx_pipeline_traces_created_at ON pipeline_traces (created_at DESC);
ALTER TABLE pipeline_traces ENABLE ROW LEVEL SECURITY;
