/** map: from the event, the profile and the rule to the payload of an action. Frozen payloads are taken as they are. */
import { declares, keepFields } from '../../consent/collects.ts'
import { signLink, stopUrl, whyUrl } from '../../consent/links.ts'
import type { Purpose } from '../../consent/purposes.ts'
import { outgoingSignals } from '../../consent/signals.ts'
import type { CanonicalEvent, IdentifierType } from '../../schemas/event.ts'
import type { OpenProfile } from '../../schemas/profile.ts'
import { buildPayload } from '../delivery/payload.ts'
import { buildView, type ViewInput } from '../delivery/view.ts'
import type { MappingView } from '../kit/define.ts'
import { codesOf } from '../rules/offer-codes.ts'
import { unseal, unsealJson } from '../seal.ts'
import { runIn } from '../stores/open.ts'
import type { SealedEvent } from './apply.ts'
import type { Batch } from './batch.ts'
import { statusOfTurn } from './decide.ts'
import type { DeliverPorts, DeliveryRow, Halted, Permitted } from './deliver-ports.ts'
import { factsOf } from './facts-of-person.ts'
import { eventOf, type HistoryRow } from './load.ts'
import type { NodeState } from './people.ts'
import { type Asked, inputOf, type PermitAnswers } from './permit.ts'

export interface MapAnswers {
  readonly mapped: Permitted[]
  readonly halted: Halted[]
}

export async function mapLeased({ permitted, halted, batch }: PermitAnswers, ports: DeliverPorts): Promise<MapAnswers> {
  const fresh = permitted.filter(({ leased }) => leased.row.payload === null)
  const events = await loadEvents(fresh, batch, ports)
  const values = await loadValues(fresh, ports)
  const offered = fresh.filter(({ leased }) => leased.row.offer != null).map(({ leased }) => leased.row.id)
  const codes = await codesOf(offered, ports.state.db)
  const mapped: Permitted[] = []
  const failed: Halted[] = []
  for (const asked of permitted) {
    const { leased, permit, person, node, deviceNode } = asked
    const { row, action } = leased
    const key = ports.keys.unwrap(node.dataKey)
    const input = inputOf(row, node, ports)
    let payload: Record<string, unknown>
    if (row.payload !== null) payload = unsealJson<Record<string, unknown>>(key, row.payload)
    else {
      const purpose = ports.purposes.get(permit.purpose)!
      const offer = offerOf(row, codes, ports)
      const view = viewOf(asked, purpose, events.get(row.event_id), values, offer, batch, ports)
      const checked = buildPayload(action.payload, view, input.with ?? {})
      if ('errors' in checked) {
        failed.push({
          leased,
          code: 'MAPPING_FAILED',
          entryId: permit.entryId,
          detail: checked.errors
            .map(({ path, message }) => `${path} ${message}`)
            .join('; ')
            .slice(0, 500),
        })
        continue
      }
      payload = checked.value
    }
    const signals = outgoingSignals(
      ({ id, scope }) => statusOfTurn({ person, deviceNode }, id, scope, batch),
      ports.purposes,
      new Date(batch.now).toISOString(),
      factsOf(person, ports.purposes, new Date(batch.now).toISOString()),
    )
    mapped.push({
      leased,
      permit,
      payload,
      dataKey: node.dataKey,
      item: {
        payload,
        signals,
        delivery: { id: row.id, key: row.id },
        occurredAt: events.get(row.event_id)?.occurredAt ?? new Date(row.since ?? row.created_at).toISOString(),
      },
    })
  }
  return { mapped, halted: [...halted, ...failed] }
}

/** An offer that the configuration no longer has goes with nothing. */
function offerOf(
  row: Pick<DeliveryRow, 'id' | 'offer'>,
  codes: ReadonlyMap<string, string>,
  ports: DeliverPorts,
): MappingView['offer'] {
  const offer = row.offer == null ? undefined : ports.offers?.get(row.offer)
  if (!offer) return undefined
  const { title, value, to, code = codes.get(row.id) } = offer.config
  return {
    id: offer.id,
    title,
    ...(value !== undefined && { value }),
    ...(code !== undefined && { code }),
    ...(to !== undefined && { to }),
  }
}

/** Only what the purpose of this delivery declares is visible, whatever else the profile holds. */
function viewOf(
  { leased, person, node }: Asked,
  purpose: Purpose,
  event: CanonicalEvent | undefined,
  values: ReadonlyMap<string, string>,
  offer: MappingView['offer'],
  batch: Batch,
  ports: DeliverPorts,
): MappingView {
  const { row } = leased
  const kept = event && keepFields(event, [purpose])
  const traits: Record<string, unknown> = {}
  for (const [path, { value }] of Object.entries(person.profile.traits))
    if (declares(purpose, path)) traits[path] = value
  const dated = new Map<string, string>()
  for (const own of person.nodes)
    for (const [path, { value, at }] of Object.entries(batch.nodeTraits(own).sealed.traits)) {
      if (!declares(purpose, path) || (dated.get(path) ?? '') > at) continue
      dated.set(path, at)
      traits[path] = value
    }
  const identifiers = identifiersOf(person.nodes, purpose, values, node)
  // An address known as an identifier is also the trait of that name.
  for (const type of ['email', 'phone'] as const)
    if (traits[type] === undefined && identifiers[type] !== undefined) traits[type] = identifiers[type]
  const { cart } = person.profile
  const link = { deliveryId: row.id, purpose: row.purpose, channel: row.channel ?? '' }
  return buildView({
    ...(kept && {
      event: {
        ...kept.event,
        subject: {
          ...kept.event.subject,
          identifiers: kept.event.subject.identifiers.filter(({ type }) => kept.sealedIdentifiers.includes(type)),
        },
      },
    }),
    traits: nested(traits),
    identifiers,
    ...(cart && (!cart.purposes || cart.purposes.includes(purpose.id)) && { cart }),
    measured: measuredFor(person.profile, purpose.id),
    person: { id: person.id },
    delivery: { id: row.id },
    // Signed when a payload asks for them: most deliveries are no messages.
    links: {
      get stop() {
        return stopUrl(ports.publicUrl, signLink(ports.keys.link, { kind: 'stop', ...link }))
      },
      get why() {
        return whyUrl(ports.publicUrl, signLink(ports.keys.link, { kind: 'why', ...link }))
      },
    },
    ...(row.rule !== null && {
      rule: {
        id: row.rule,
        version: row.rule_version ?? 0,
        ...(row.variant != null && { variant: row.variant }),
      },
    }),
    ...(offer && { offer }),
    decidedAt: new Date(row.created_at).toISOString(),
  })
}

/** What was computed for the purpose of the delivery. */
function measuredFor(profile: OpenProfile, purpose: string): NonNullable<ViewInput['measured']> {
  const ofPurpose = <T extends { readonly purpose: string }>(all: Readonly<Record<string, T>> | undefined) =>
    Object.entries(all ?? {}).filter(([, one]) => one.purpose === purpose)
  return {
    computed: Object.fromEntries(ofPurpose(profile.computed).map(([id, { value }]) => [id, value])),
    scores: Object.fromEntries(ofPurpose(profile.scores).map(([id, { value }]) => [id, value])),
    audiences: ofPurpose(profile.audiences).map(([id]) => id),
  }
}

const CONTACT: ReadonlySet<IdentifierType> = new Set(['email', 'phone', 'cpf'])

function identifiersOf(
  nodes: readonly NodeState[],
  purpose: Purpose,
  values: ReadonlyMap<string, string>,
  own: NodeState,
): Partial<Record<IdentifierType, string>> {
  const found: Partial<Record<IdentifierType, string>> = {}
  // The node of the delivery first, then the newest: the address a person gave last is the one they read.
  for (const node of [own, ...[...nodes].reverse()]) {
    const value = values.get(node.id)
    if (value === undefined || found[node.type] !== undefined) continue
    if (CONTACT.has(node.type) && !declares(purpose, node.type)) continue
    found[node.type] = value
  }
  return found
}

async function loadEvents(
  asked: readonly Asked[],
  batch: Batch,
  ports: DeliverPorts,
): Promise<Map<string, CanonicalEvent>> {
  const events = new Map<string, CanonicalEvent>()
  const ids = [...new Set(asked.map(({ leased }) => leased.row.event_id))]
  for (const row of await runIn<HistoryRow & { node_id: string; sealed: Uint8Array }>(
    ports.state.db,
    ports.state.dialect,
    'select id, node_id, type, name, occurred_at, received_at, source_id, connector, sealed from history where id in ({list})',
    ids,
  )) {
    const node = batch.node(row.node_id)
    if (node) events.set(row.id, eventOf(row, unsealJson<SealedEvent>(ports.keys.unwrap(node.dataKey), row.sealed)))
  }
  return events
}

/** node id -> the identifier's value */
async function loadValues(asked: readonly Asked[], ports: DeliverPorts): Promise<Map<string, string>> {
  const nodes = new Map(
    asked.flatMap(({ person }) =>
      person.nodes.filter(({ hasValue }) => hasValue).map((node) => [node.id, node] as const),
    ),
  )
  const values = new Map<string, string>()
  for (const row of await runIn<{ node_id: string; sealed: Uint8Array | null }>(
    ports.state.db,
    ports.state.dialect,
    'select node_id, sealed from identifiers where node_id in ({list})',
    [...nodes.keys()],
  )) {
    if (row.sealed) values.set(row.node_id, unsealText(ports, nodes.get(row.node_id)!, row.sealed))
  }
  return values
}

function unsealText(ports: DeliverPorts, node: NodeState, sealed: Uint8Array): string {
  return unseal(ports.keys.unwrap(node.dataKey), sealed).toString('utf8')
}

/** Trait paths ("address.city") as the objects they came from. */
function nested(paths: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const root: Record<string, unknown> = {}
  for (const [path, value] of Object.entries(paths)) {
    const steps = path.split('.')
    let place = root
    for (const step of steps.slice(0, -1)) {
      const next = Object.hasOwn(place, step) ? place[step] : undefined
      if (next === null || typeof next !== 'object') place[step] = {}
      place = place[step] as Record<string, unknown>
    }
    place[steps.at(-1)!] = value
  }
  return root
}
