"""The record: tables, job queue, events, audits and reports. All SQL of Saek is in this package."""
