/*
 * test_calls_connect.c - CONNECT and END: tickets, deadlines, promotion and the limits of a call.
 *
 * Holds E34, E35, E38, E43, E44, E45, E46, E47, E48 of domain.md M7.
 */
