/*
 * test_abuse.c - hostile bytes on an authenticated connection never disturb anybody else (E68),
 * and tickets cannot be forged, lent or reused.
 */
