/*
 * test_calls_money.c - what calls cost: settlement, holds, overdraft and promotion after death.
 *
 * Holds E12, E31, E33, E52, E71, E74 of domain.md M7, and the rules R15, R51, R53, R66.
 */
