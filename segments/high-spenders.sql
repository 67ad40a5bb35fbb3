-- Spent 1,500 reais or more within a year.
-- A .sql segment is one SELECT of contact ids. It may read every table and change none.
-- :now is the moment of asking and :day one day, both in microseconds; amounts are in cents.
SELECT contact_id
FROM interaction
WHERE kind = 'purchased'
  AND at > :now - 365 * :day
  AND at <= :now
GROUP BY contact_id
HAVING SUM(amount) >= 150000
