DROP TABLE daily_summaries;
DROP TABLE notifications;
DROP TABLE tasks;
