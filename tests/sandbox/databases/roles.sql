-- Copyright: (c) 2026, omni_analytics.connect contributors
-- GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Roles belong to the server, and several databases share one: made only where they are missing.
DO $$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        SELECT * FROM (VALUES
            ('app_owner', 'LOGIN'),
            ('etl', 'LOGIN'),
            ('analyst_team', 'NOLOGIN'),
            ('dba', 'LOGIN CREATEROLE')
        ) AS role (name, options)
    LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted.name) THEN
            EXECUTE format('CREATE ROLE %I %s', wanted.name, wanted.options);
        END IF;
    END LOOP;
END
$$;
-- By inheritance, so that the dba may grant on what the owners own.
GRANT app_owner, etl, analyst_team TO dba;
