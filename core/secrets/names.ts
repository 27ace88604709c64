/** What a secret may be called, in settings and on the command line. */
export const SECRET_NAME = '[A-Za-z][A-Za-z0-9_.-]{0,62}'
/** A service account's key file is about 2.4 KB. */
export const MAX_SECRET_BYTES = 16 * 1024

export const isSecretName = (name: string): boolean => new RegExp(`^${SECRET_NAME}$`).test(name)
