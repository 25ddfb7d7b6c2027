CREATE DATABASE visits TEMPLATE sales OWNER dba;
CREATE DATABASE payroll TEMPLATE sales OWNER dba;
CREATE DATABASE archive TEMPLATE sales OWNER dba;
-- Only read, since it was moved here.
ALTER DATABASE archive SET default_transaction_read_only = on;
