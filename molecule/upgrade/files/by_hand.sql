-- The guide, as its pages have it, for the schema public and one login; stats_daily and orders came later.
-- psql sets omni_password.
CREATE ROLE omni LOGIN PASSWORD :'omni_password';
COMMENT ON ROLE omni IS 'for the BI tool, ask Kim';
GRANT CONNECT ON DATABASE sales TO omni;
GRANT USAGE ON SCHEMA public TO omni;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO omni;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO omni;
CREATE SCHEMA omni_uploads;
GRANT USAGE, CREATE ON SCHEMA omni_uploads TO omni;
-- An upload of last year.
RESET SESSION AUTHORIZATION;
SET ROLE omni;
CREATE TABLE omni_uploads.budget (day date, amount numeric);
INSERT INTO omni_uploads.budget VALUES ('2025-01-01', 1);
