/** Test recipients: named by people, kept as HMACs. */
import type { IdentifierType } from '../../schemas/event.ts'
import type { TestRecipient } from '../../schemas/rule.ts'
import type { Keys } from '../keys.ts'
import { ConfigError } from '../kit/errors.ts'
import { normalizeIdentifier } from '../kit/identifiers.ts'

/** @returns hex of the HMACs. @throws ConfigError for what is no address, without saying it. */
export function recipientHmacs(
  recipients: readonly TestRecipient[] | undefined,
  keys: Pick<Keys, 'identifier'>,
  where: string,
): string[] {
  return (recipients ?? []).map((recipient, index) => {
    const [type, value] = Object.entries(recipient)[0] as [IdentifierType, string]
    const normal = normalizeIdentifier(type, value)
    if (normal === undefined)
      throw new ConfigError(
        `${where}, test recipient ${index + 1}: this is no ${type}; write e-mails as ana@loja.example and phones with country and area code`,
        `/${where}/${index}`,
      )
    return keys.identifier(type, normal).toString('hex')
  })
}
