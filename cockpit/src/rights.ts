import type { Right } from '../../schemas/requests.ts'

/** In the order of art. 18, then opposition and review. */
export const RIGHTS = [
  'confirmation',
  'access',
  'correction',
  'restriction',
  'portability',
  'erasure',
  'sharing',
  'consent_information',
  'revocation',
  'opposition',
  'review',
] as const satisfies readonly Right[]
