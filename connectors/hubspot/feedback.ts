/**
 * "Send a webhook" of a HubSpot workflow (https://knowledge.hubspot.com/workflows/how-do-i-use-webhooks-with-hubspot-workflows):
 * the webhooks of an app name a contact by an id that only HubSpot knows, those of a workflow carry the properties one
 * chooses. `email` and `hs_email_optout` are read, in either of the two forms it sends.
 */
import { type FeedbackItem, InputError, isLoose, type RawRequest, readJson } from '../../core/kit/index.ts'

export function readEvents(request: RawRequest): FeedbackItem[] {
  const body = readJson(request)
  const contacts = Array.isArray(body) ? body : [body]
  if (!contacts.every(isLoose)) throw new InputError('INVALID', 'the body must be a contact or a list of contacts', '')
  return contacts.flatMap((contact): FeedbackItem[] => {
    const email = property(contact, 'email')
    const optedOut = property(contact, 'hs_email_optout')
    return typeof email === 'string' && (optedOut === true || optedOut === 'true')
      ? [{ kind: 'unsubscribed', channel: 'email', identifiers: [{ type: 'email', value: email }] }]
      : []
  })
}

/** Chosen properties stand by themselves; a whole contact has them as `properties.<name>.value`. */
function property(contact: Readonly<Record<string, unknown>>, name: string): unknown {
  const { properties } = contact
  const found = isLoose(properties) ? properties[name] : contact[name]
  return isLoose(found) ? found['value'] : found
}
