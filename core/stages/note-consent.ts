/**
 * note consent: the signals an event carries change the status of a person or a device; a ledger
 * entry is written when they do. The absence of a signal changes nothing.
 */
import type { Purpose, Purposes } from '../../consent/purposes.ts'
import { openingSignal } from '../../consent/signals.ts'
import { applySignal, isRestrictive, mergeStatuses, type PurposeStatus } from '../../consent/status.ts'
import type { ConsentSignal } from '../../schemas/consent.ts'
import type { CanonicalEvent } from '../../schemas/event.ts'
import { newId } from '../ids.ts'
import type { Batch } from './batch.ts'
import { foundNode, type Identified, type Named, personStatus, setStatus } from './identify.ts'
import { writeEntry } from './ledger-entry.ts'
import type { PersonState } from './people.ts'
import { takesBack, withdraw } from './withdraw.ts'

/**
 * @param opens whether the event may open a contract; one that its tracking plan refuses did not happen so far.
 * @returns whether any status changed, so that what is held for this person is asked again.
 */
export function noteConsent(identified: Identified, batch: Batch, purposes: Purposes, opens = true): boolean {
  const { event } = identified
  const opened = (opens ? purposes.openedBy(event) : []).map((purpose) =>
    openingSignal(purpose, { sourceId: event.source.id, messageId: event.messageId, occurredAt: event.occurredAt }),
  )
  let changed = false
  for (const signal of [...event.consent, ...opened]) {
    const purpose = purposes.get(signal.purpose)
    if (!purpose) continue
    const name = signal.scope === 'device' ? identified.device : identified.named[0]!
    const others = signal.scope === 'person' && isRestrictive(signal.action) ? othersNamed(identified, batch) : []
    const current = statusFor(identified, signal.scope, purpose.id, batch)
    changed = note(name, signal, purpose, current, event, batch) || changed
    // Whether they are one person is decided only when the event is kept; the refusal does not wait for that.
    for (const { name: other, person } of others) {
      const theirs = personStatus(person.nodes, purpose.id, batch)?.row.status
      if (theirs) changed = note(other, signal, purpose, theirs, event, batch) || changed
    }
  }
  return changed
}

/** @returns whether the status changed. */
function note(
  name: Named,
  signal: ConsentSignal,
  purpose: Purpose,
  current: PurposeStatus | undefined,
  event: CanonicalEvent,
  batch: Batch,
): boolean {
  const node = batch.nodes.get(name.hmac) ?? foundNode(name, batch, event.occurredAt)
  const context = {
    receivedAt: event.receivedAt,
    newId: () => newId(batch.now),
    ends: purpose.ends,
    verified: isVerified(name, signal),
  }
  const answered = applySignal(current, signal, context)
  const own = personStatus(batch.person(node.personId).nodes, purpose.id, batch)?.row.status
  const isOthers = signal.scope === 'person' && current?.entryId !== own?.entryId
  // Until they are one, what another person this event names has said is no status of this one: a no of theirs keeps a
  // yes from counting here, and what they said already may be this one's first word.
  if (!answered.entry && isOthers && !isRestrictive(signal.action) && !GRANTED.has(answered.next.status)) return false
  const { next, entry } = !answered.entry && isOthers ? applySignal(own, signal, context) : answered
  setStatus(batch, node.id, purpose.id, next)
  if (!entry) return false
  writeEntry(entry, node, [name.identifier], batch)
  if (current?.status === next.status) return false
  if (takesBack(purpose, current, next)) withdraw(node, purpose, entry.id, entry.receivedAt, signal.origin, batch)
  return true
}

const GRANTED: ReadonlySet<PurposeStatus['status']> = new Set(['granted', 'stale'])

/** The other people an event names, each with the first identifier that reaches them. */
function othersNamed(identified: Identified, batch: Batch): { name: Named; person: PersonState }[] {
  const outside = new Set(identified.refused.map(({ named }) => named.hmac))
  const [first, ...rest] = identified.named
  const own = batch.nodes.get(first!.hmac)
  const people = new Set<PersonState | undefined>([own && batch.person(own.personId)])
  return rest.flatMap((name) => {
    const node = batch.nodes.get(name.hmac)
    const person = node && batch.person(node.personId)
    if (!person || people.has(person) || outside.has(name.hmac)) return []
    people.add(person)
    return [{ name, person }]
  })
}

/** Who speaks with a secret of ours, a signed link or the vendor's own: they know whose answer it is. */
const AUTHENTICATED: ReadonlySet<string> = new Set(['rd', 'link', 'portal', 'api', 'import', 'feedback'])

/**
 * A login and an authenticated sender speak for a person; a bare cookie or a typed e-mail is a claim,
 * and so is whatever a browser says with a key that everybody can read. Double opt-in proves the address.
 */
function isVerified(name: Named, { origin, evidence }: ConsentSignal): boolean {
  if (origin.kind === 'browser') return false
  return (
    name.identifier.type === 'userId' ||
    name.identifier.type === 'cpf' ||
    AUTHENTICATED.has(origin.kind) ||
    evidence.method === 'double_opt_in'
  )
}

/** The status gates read: of the device, or of every person this event reaches, the more restrictive where they differ. */
export function statusFor(
  identified: Identified,
  scope: ConsentSignal['scope'],
  purpose: string,
  batch: Batch,
): PurposeStatus | undefined {
  if (scope === 'device') {
    const node = batch.nodes.get(identified.device.hmac)
    return node && batch.statuses.get(node.id)?.get(purpose)?.status
  }
  const { named, refused } = identified
  // Asked for every purpose of every event, which nearly always names one person.
  const people: PersonState[] = []
  let status: PurposeStatus | undefined
  for (const { hmac } of named) {
    const node = batch.nodes.get(hmac)
    if (!node || (refused.length > 0 && refused.some((out) => out.named.hmac === hmac))) continue
    const person = batch.person(node.personId)
    if (people.includes(person)) continue
    people.push(person)
    status = mergeStatuses(status, personStatus(person.nodes, purpose, batch)?.row.status)
  }
  return status
}
