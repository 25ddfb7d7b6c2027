-- Copyright: (c) 2026, omni_analytics.connect contributors
-- GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- A ledger: little in public, most of it in schemas of its own, one of them with a name that needs quotes.

GRANT CREATE ON SCHEMA public TO app_owner;
CREATE SCHEMA ledger AUTHORIZATION app_owner;
CREATE SCHEMA "Budget 100%" AUTHORIZATION analyst_team;

SET ROLE app_owner;

CREATE TABLE currencies (code char(3) PRIMARY KEY, rate numeric NOT NULL);
INSERT INTO currencies VALUES ('EUR', 1), ('USD', 1.1), ('GBP', 0.85);

CREATE TABLE ledger.accounts (number integer PRIMARY KEY, name text NOT NULL);
INSERT INTO ledger.accounts SELECT 1000 + n, format('Account %s', n) FROM generate_series(1, 60) AS n;

CREATE TABLE ledger.entries (
    id bigint GENERATED ALWAYS AS IDENTITY,
    account integer NOT NULL,
    booked_on date NOT NULL,
    amount numeric(14, 2) NOT NULL,
    currency char(3) NOT NULL REFERENCES public.currencies
) PARTITION BY LIST (currency);
CREATE TABLE ledger.entries_eur PARTITION OF ledger.entries FOR VALUES IN ('EUR');
CREATE TABLE ledger.entries_other PARTITION OF ledger.entries DEFAULT;
INSERT INTO ledger.entries (account, booked_on, amount, currency)
SELECT 1001 + n % 60, date '2026-01-01' + n % 180, n % 1000 - 500, (ARRAY['EUR', 'USD', 'GBP'])[1 + n % 3]
FROM generate_series(1, 500) AS n;

CREATE SEQUENCE ledger.voucher START 1;
CREATE VIEW ledger.balances AS
SELECT account, currency, sum(amount) AS balance FROM ledger.entries GROUP BY account, currency;

RESET ROLE;
GRANT USAGE ON SCHEMA ledger TO analyst_team;
GRANT SELECT ON ledger.balances TO analyst_team;
SET ROLE analyst_team;

CREATE TABLE "Budget 100%"."Plan.2026" (account integer, month integer, amount numeric);
INSERT INTO "Budget 100%"."Plan.2026"
SELECT 1001 + n % 60, 1 + n % 12, n * 10 FROM generate_series(1, 240) AS n;
CREATE MATERIALIZED VIEW "Budget 100%".variance AS
SELECT p.account, sum(p.amount) - coalesce(max(b.balance), 0) AS variance
FROM "Budget 100%"."Plan.2026" AS p LEFT JOIN ledger.balances AS b USING (account) GROUP BY p.account;

RESET ROLE;
