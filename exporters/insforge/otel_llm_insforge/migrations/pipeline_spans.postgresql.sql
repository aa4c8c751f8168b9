-- One row per agent, LLM call or tool of a run. No foreign key: a row may arrive before its trace, or after.
-- Row-level security without a policy: only the owner, and InsForge's project_admin (its ik_ keys), can read or write.
-- The public anon key gets nothing.
CREATE TABLE pipeline_spans (
    id SERIAL PRIMARY KEY,
    span_id UUID NOT NULL UNIQUE,
    trace_id UUID NOT NULL,
    parent_span_id UUID,
    span_name VARCHAR(100) NOT NULL,
    start_time TIMESTAMPTZ NOT NULL,
    end_time TIMESTAMPTZ NOT NULL,
    duration_ms NUMERIC(10, 2) NOT NULL,
    success BOOLEAN NOT NULL DEFAULT true,
    error TEXT,
    input_data JSONB,
    output_data JSONB,
    created_at TIMESTAMPTZ DEFAULT NOW()
);
CREATE INDEX idx_pipeline_spans_trace_id ON pipeline_spans (trace_id);
CREATE INDEX idx_pipeline_spans_created_at ON pipeline_spans (created_at DESC);
ALTER TABLE pipeline_spans ENABLE ROW LEVEL SECURITY;
