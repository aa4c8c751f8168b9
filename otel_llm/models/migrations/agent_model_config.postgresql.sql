-- Which model each agent uses, and how that came about. May be run again, also over an agent_model_config that is there already.
-- Statements are paragraphs. Where an InsForge is (a role "anon" is), a new table is closed to its public key.

DO $$
BEGIN
    IF to_regclass('agent_model_config') IS NULL THEN
        CREATE TABLE agent_model_config (
            id serial PRIMARY KEY,
            agent_name text UNIQUE NOT NULL,
            model_id text NOT NULL,
            is_active boolean NOT NULL DEFAULT true,
            set_by text,
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now()
        );
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'anon') THEN
            ALTER TABLE agent_model_config ENABLE ROW LEVEL SECURITY;
        END IF;
    END IF;
    IF to_regclass('agent_model_history') IS NULL THEN
        CREATE TABLE agent_model_history (
            id bigserial PRIMARY KEY,
            agent_name text NOT NULL,
            old_model text,
            new_model text,
            set_by text,
            at timestamptz NOT NULL DEFAULT clock_timestamp()
        );
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'anon') THEN
            ALTER TABLE agent_model_history ENABLE ROW LEVEL SECURITY;
        END IF;
    END IF;
END $$;

CREATE INDEX IF NOT EXISTS idx_agent_model_config_active ON agent_model_config (agent_name) WHERE is_active;

CREATE INDEX IF NOT EXISTS idx_agent_model_history_agent ON agent_model_history (agent_name, id);

CREATE OR REPLACE FUNCTION agent_model_config_touched() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.agent_name, NEW.model_id, NEW.is_active) IS DISTINCT FROM (OLD.agent_name, OLD.model_id, OLD.is_active) THEN
        NEW.updated_at := clock_timestamp();
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION agent_model_config_changed() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    before text := CASE WHEN TG_OP <> 'INSERT' AND OLD.is_active THEN OLD.model_id END;
    after text := CASE WHEN TG_OP <> 'DELETE' AND NEW.is_active THEN NEW.model_id END;
    who text := CASE WHEN TG_OP <> 'DELETE' THEN NEW.set_by END;
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.agent_name <> OLD.agent_name THEN
        IF before IS NOT NULL THEN
            INSERT INTO agent_model_history (agent_name, old_model, set_by) VALUES (OLD.agent_name, before, who);
        END IF;
        before := NULL;
    END IF;
    IF before IS DISTINCT FROM after THEN
        INSERT INTO agent_model_history (agent_name, old_model, new_model, set_by)
        VALUES (CASE WHEN TG_OP = 'DELETE' THEN OLD.agent_name ELSE NEW.agent_name END, before, after, who);
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER agent_model_config_touched BEFORE UPDATE ON agent_model_config
FOR EACH ROW EXECUTE FUNCTION agent_model_config_touched();

CREATE OR REPLACE TRIGGER agent_model_config_changed AFTER INSERT OR UPDATE OR DELETE ON agent_model_config
FOR EACH ROW EXECUTE FUNCTION agent_model_config_changed();
