-- Query at specific timestamp
SELECT * FROM users
FOR SYSTEM_TIME AS OF TIMESTAMP '2024-01-01 12:00:00';

-- Query at specific LSN
SELECT * FROM users
FOR SYSTEM_TIME AS OF LSN 12345;

-- Query at specific snapshot
SELECT * FROM users
FOR SYSTEM_TIME AS OF SNAPSHOT 'main@5';

-- Query on specific branch
SELECT * FROM users
FOR SYSTEM_TIME AS OF BRANCH 'feature-x';

-- Query relative to current (5 versions ago)
SELECT * FROM users
FOR SYSTEM_TIME AS OF VERSION CURRENT - 5;
