CREATE DATABASE orders TEMPLATE sales OWNER dba;
CREATE DATABASE returns TEMPLATE sales OWNER dba;
CREATE DATABASE suppliers TEMPLATE sales OWNER dba;
CREATE DATABASE billing TEMPLATE sales OWNER dba;
-- Somebody rotated this administrator's password, and the inventory has the old one.
CREATE ROLE dba_billing LOGIN CREATEROLE PASSWORD 'rotated' IN ROLE dba;
