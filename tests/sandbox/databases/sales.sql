-- Copyright: (c) 2026, omni_analytics.connect contributors
-- GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- A shop: an application's own tables, orders by year, regional copies, and what a nightly job works out.

GRANT CREATE ON SCHEMA public TO app_owner, etl;
CREATE SCHEMA sales_eu AUTHORIZATION app_owner;
CREATE SCHEMA sales_us AUTHORIZATION app_owner;
CREATE SCHEMA stats_daily AUTHORIZATION etl;
CREATE SCHEMA stats_monthly AUTHORIZATION analyst_team;
CREATE SCHEMA internal AUTHORIZATION app_owner;

SET ROLE app_owner;

CREATE TABLE customers (
    id serial PRIMARY KEY,
    name text NOT NULL,
    email text UNIQUE,
    region text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO customers (name, email, region, created_at)
SELECT format('Customer %s', n), format('customer%s@example.com', n), (ARRAY['eu', 'us'])[1 + n % 2],
    timestamptz '2025-01-01 00:00+00' + n * interval '1 day'
FROM generate_series(1, 200) AS n;

CREATE TABLE products (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    price numeric(10, 2) NOT NULL
);
INSERT INTO products (name, price)
SELECT format('Product %s', n), 4.99 + n FROM generate_series(1, 40) AS n;

CREATE SEQUENCE invoice_number START 10000;

CREATE TABLE orders (
    id bigint NOT NULL,
    customer_id integer NOT NULL,
    placed_on date NOT NULL,
    total numeric(12, 2) NOT NULL
) PARTITION BY RANGE (placed_on);
CREATE TABLE orders_2025 PARTITION OF orders FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
GRANT SELECT, INSERT ON orders TO etl;

RESET ROLE;
SET ROLE etl;
-- Made by another role than its parent's owner, as partition jobs do.
CREATE TABLE orders_2026 (
    id bigint NOT NULL,
    customer_id integer NOT NULL,
    placed_on date NOT NULL,
    total numeric(12, 2) NOT NULL
);
RESET ROLE;
ALTER TABLE orders ATTACH PARTITION orders_2026 FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
SET ROLE app_owner;

INSERT INTO orders
SELECT n, 1 + n % 200, date '2025-01-01' + n, 10 + n % 90 FROM generate_series(1, 600) AS n;

CREATE VIEW open_orders AS SELECT * FROM orders WHERE placed_on >= date '2026-06-01';

CREATE TABLE sales_eu.orders AS SELECT * FROM orders WHERE customer_id % 2 = 0;
CREATE TABLE sales_us.orders AS SELECT * FROM orders WHERE customer_id % 2 = 1;

-- Names that have to be quoted everywhere.
CREATE TABLE "Order Notes" (id serial, note text);
INSERT INTO "Order Notes" (note) VALUES ('gift'), ('urgent');
CREATE TABLE sales_eu."price.list (%)" (id integer, "50% off" boolean);
CREATE TABLE sales_eu."say ""hello""" (id integer);
CREATE TABLE sales_us."Umsätze_日本" (id integer);

CREATE TABLE internal.sessions (token uuid, customer_id integer);

RESET ROLE;
GRANT SELECT ON customers, products TO etl, analyst_team;
GRANT SELECT ON orders TO analyst_team;
SET ROLE etl;

CREATE TABLE stats_daily.revenue (day date PRIMARY KEY, orders integer, revenue numeric);
INSERT INTO stats_daily.revenue SELECT placed_on, count(*), sum(total) FROM orders GROUP BY placed_on;
CREATE MATERIALIZED VIEW stats_daily.customers_by_region AS
SELECT region, count(*) AS customers FROM customers GROUP BY region;
CREATE TABLE import_log (id serial, loaded_at timestamptz DEFAULT now(), row_count integer);

RESET ROLE;
SET ROLE analyst_team;

CREATE MATERIALIZED VIEW stats_monthly.revenue AS
SELECT date_trunc('month', placed_on) AS month, sum(total) AS revenue FROM orders GROUP BY 1;
CREATE VIEW stats_monthly.best_month AS SELECT * FROM stats_monthly.revenue ORDER BY revenue DESC LIMIT 1;

RESET ROLE;

-- Nothing stands behind it, so its rows cannot be read; the rights on it are as real as on any other table.
CREATE FOREIGN DATA WRAPPER nohandler;
CREATE SERVER legacy FOREIGN DATA WRAPPER nohandler;
GRANT USAGE ON FOREIGN SERVER legacy TO etl;
SET ROLE etl;
CREATE FOREIGN TABLE stats_daily.legacy_orders (id bigint, total numeric) SERVER legacy;
RESET ROLE;
