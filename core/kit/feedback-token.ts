/** Webhooks of vendors that sign nothing: a secret the operator gave them, in a header or, where they have none, in the URL. */
import { Type } from 'typebox'
import type { ExitCode } from '../../schemas/exits.ts'
import type { RawRequest } from './define.ts'
import { sameSecret } from './write-key.ts'

export const FeedbackToken = Type.Optional(
  Type.String({
    minLength: 16,
    secret: true,
    description: 'Secret of the webhooks that tell what became of messages. Absent: they are refused.',
  }),
)

/** Bearer, `x-anuente-token`, or `?token=`: a URL ends up in logs, so it is the last resort. */
export function verifyFeedbackToken(
  { headers, query }: RawRequest,
  { feedbackToken }: { readonly feedbackToken?: string },
): true | ExitCode {
  const bearer = /^Bearer\s+(.+)$/i.exec(headers['authorization'] ?? '')?.[1]
  return [bearer, headers['x-anuente-token'], query['token']].some((given) => sameSecret(feedbackToken, given))
    ? true
    : 'BAD_SIGNATURE'
}
