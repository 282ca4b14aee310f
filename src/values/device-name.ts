/** The name of a kind of devices: in site.yaml, in a request and in a plan. */
export const deviceNamePattern = /^[a-z0-9][a-z0-9._-]{0,62}$/;
