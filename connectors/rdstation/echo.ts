/** What a conversion looks like on both sides: sent by the hub, and reported back by RD Station's webhook. */
export const conversionEcho = (identifier: string, email: string): string =>
  `rdstation conversion ${identifier.trim()} ${email.trim().toLowerCase()}`
