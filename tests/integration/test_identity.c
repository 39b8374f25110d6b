/*
 * test_identity.c - who may talk, and who may ask what: TLS, principals, roles, tenants (E39).
 */
