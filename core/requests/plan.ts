/** What carrying a request out would do, before anything is done. */
import { createHash } from 'node:crypto'
import { RIGHT_RULES } from '../../consent/requests/rights.ts'
import type { Identifier } from '../../schemas/event.ts'
import type { RecipientOperation, RequestPlan, RequestScope, Right } from '../../schemas/requests.ts'
import type { Keys } from '../keys.ts'
import type { SubjectRight } from '../kit/define.ts'
import { CommandError } from '../server/context.ts'
import type { Db } from '../stores/open.ts'
import { erasedItems, type Holdings, holdsNothing, isScoped, keptItems, readHoldings } from './holdings.ts'
import { findPeople, type KnownPeople } from './people.ts'
import type { RequestSettings } from './settings.ts'
import { readRecipients } from './statement.ts'

export interface Planned {
  readonly plan: RequestPlan
  readonly people: KnownPeople | undefined
  readonly holdings: Holdings
  /** HMACs of every identifier of the request and of the person. */
  readonly hmacs: readonly Uint8Array[]
  readonly scoped: boolean
}

/** A vendor's call knows only the whole contact: part of it is done by hand. */
const ONLY_SCOPE = {
  pt: 'O pedido alcança só uma parte dos dados: elimine ali apenas o que está no escopo e anexe o comprovante.',
  en: 'The request reaches only part of the data: delete there only what is in its scope and attach the proof.',
}
const NEVER = { pt: 'Não há como.', en: 'There is no way.' }

export async function planRequest(
  request: { readonly right: Right; readonly scope: RequestScope; readonly identifiers: readonly Identifier[] },
  also: readonly string[],
  settings: RequestSettings,
  { db, keys, now }: { readonly db: Db; readonly keys: Keys; readonly now: number },
): Promise<Planned> {
  const { right, scope, identifiers } = request
  const people = await findPeople(db, keys, identifiers)
  const hmacs = unique([
    ...identifiers.map(({ type, value }) => keys.identifier(type, value)),
    ...(people?.nodes.map(({ hmac }) => hmac) ?? []),
  ])
  const values = [
    ...identifiers.map(({ value }) => value),
    ...(people?.nodes.flatMap(({ value }) => (value === undefined ? [] : [value])) ?? []),
  ]
  const erases = right === 'erasure' || right === 'restriction'
  const scoped = erases && isScoped(scope)
  const holdings = await readHoldings(people, hmacs, values, scoped ? scope : {}, {
    db,
    keys,
    purposes: settings.purposes,
    timezone: settings.clocks.timezone,
    now,
  })
  const nothingHeld = holdsNothing(holdings)
  const operation = RIGHT_RULES[right].recipients
  const recipients = operation
    ? await recipientsOf(people, operation, also, { nobody: nothingHeld && also.length === 0, scoped }, settings, db)
    : []
  const erase = erases ? erasedItems(holdings, scoped) : []
  const keep = erases ? keptItems(holdings, scoped) : []
  const body = { right, scope, nothingHeld, erase, keep, recipients, personHeld: holdings.personHeld }
  const events = erases ? holdings.historyGone.length : 0
  const others = erase.reduce((sum, { count }) => sum + count, 0) - events
  const kept = keep.reduce((sum, { count }) => sum + count, 0)
  const asked = recipients.filter(({ how }) => how === 'implemented').length
  const manual = recipients.filter(({ how }) => how === 'manual').length
  const reasons = (language: 'pt' | 'en') =>
    keep.map(({ count, what, reason }) => `${count} ${what[language]}: ${reason[language]}`).join('; ')
  return {
    people,
    holdings,
    hmacs,
    scoped,
    plan: {
      // Same findings, same hash: an officer approves what will be done and not the minute it was counted.
      hash: createHash('sha256').update(JSON.stringify(body)).digest('hex'),
      at: now,
      nothingHeld,
      summary: erases
        ? {
            pt: `Eliminaria ${n(events, 'evento', 'eventos')} e ${n(others, 'outro registro', 'outros registros')}; pediria a ${n(asked, 'destino', 'destinos')} e criaria ${n(manual, 'tarefa manual', 'tarefas manuais')}; guardaria ${n(kept, 'item', 'itens')}${keep.length > 0 ? `, porque: ${reasons('pt')}` : ''}.`,
            en: `Would erase ${n(events, 'event', 'events')} and ${n(others, 'other record', 'other records')}; ask ${n(asked, 'destination', 'destinations')} and make ${n(manual, 'manual task', 'manual tasks')}; keep ${n(kept, 'item', 'items')}${keep.length > 0 ? ` because: ${reasons('en')}` : ''}.`,
          }
        : {
            pt: `${nothingHeld ? 'Não há dados desta pessoa.' : 'Responderia com os dados desta pessoa.'} Pediria a ${n(asked, 'destino', 'destinos')} e criaria ${n(manual, 'tarefa manual', 'tarefas manuais')}.`,
            en: `${nothingHeld ? 'There are no data of this person.' : 'Would answer with the data of this person.'} Would ask ${n(asked, 'destination', 'destinations')} and make ${n(manual, 'manual task', 'manual tasks')}.`,
          },
      warnings: warningsOf(people),
      erase,
      keep,
      recipients,
    },
  }
}

/**
 * A code proves one address. Which addresses belong together was said by sources, some of them by a browser that anybody
 * may have been sitting at: an officer looks before data of all of them go to one.
 */
function warningsOf(people: KnownPeople | undefined): RequestPlan['warnings'] {
  const warnings: RequestPlan['warnings'][number][] = []
  for (const [type, pt, en] of [
    ['email', 'e-mails', 'e-mail addresses'],
    ['phone', 'telefones', 'phone numbers'],
    ['userId', 'números de cliente', 'customer numbers'],
  ] as const) {
    const count = new Set(
      people?.nodes.filter((node) => node.type === type && node.value !== undefined).map(({ value }) => value),
    ).size
    if (count > 1)
      warnings.push({
        pt: `A pessoa reúne ${count} ${pt}. O código comprova um contato só: confira se são da mesma pessoa antes de aprovar.`,
        en: `The person has ${count} ${en}. A code proves one contact only: make sure they are one person before approving.`,
      })
  }
  const persons = new Set(people?.nodes.map(({ personId }) => personId))
  if (persons.size > 1)
    warnings.push({
      pt: `Os identificadores do pedido levam a ${persons.size} pessoas diferentes.`,
      en: `The identifiers of the request lead to ${persons.size} different people.`,
    })
  return warnings
}

const n = (count: number, one: string, many: string) => `${count} ${count === 1 ? one : many}`

async function recipientsOf(
  people: KnownPeople | undefined,
  operation: RecipientOperation,
  also: readonly string[],
  { nobody, scoped }: { readonly nobody: boolean; readonly scoped: boolean },
  settings: RequestSettings,
  db: Db,
): Promise<RequestPlan['recipients']> {
  const list: RequestPlan['recipients'][number][] = []
  const known = await readRecipients(
    (people?.nodes ?? []).map(({ id }) => id),
    settings,
    db,
  )
  for (const id of also)
    if (!settings.destinations.has(id)) throw new CommandError('INVALID', `No destination is called ${id}.`)
  const ids = [...new Set([...known.map(({ id }) => id), ...also])].sort()
  for (const id of ids) {
    const times = known.find((one) => one.id === id)
    const common = {
      recipient: id,
      kind: 'destination' as const,
      operation,
      firstAt: times?.firstAt ?? null,
      lastAt: times?.lastAt ?? null,
    }
    const definition = settings.destinations.get(id)?.definition
    const way: SubjectRight<unknown> = definition
      ? definition[
          operation === 'delete' ? 'deleteSubject' : operation === 'export' ? 'exportSubject' : 'correctSubject'
        ]
      : {
          manual: {
            pt: 'O destino já não está configurado: peça ao fornecedor.',
            en: 'The destination is no longer configured: ask the vendor.',
          },
        }
    list.push(
      'implemented' in way && scoped
        ? { ...common, how: 'manual', instructions: ONLY_SCOPE }
        : 'implemented' in way
          ? { ...common, how: 'implemented', instructions: null }
          : 'manual' in way
            ? { ...common, how: 'manual', instructions: way.manual }
            : { ...common, how: 'impossible', instructions: 'impossible' in way ? way.impossible : NEVER },
    )
  }
  // A system that is not connected may have the person even where the hub has nothing.
  if (!nobody || settings.systems.length > 0)
    for (const system of settings.systems)
      list.push({
        recipient: system.name,
        kind: system.opendsr ? 'opendsr' : 'system',
        operation,
        how: system.opendsr && operation !== 'correct' ? 'implemented' : 'manual',
        firstAt: null,
        lastAt: null,
        instructions: system.instructions ?? {
          pt: `Faça no sistema ${system.name}${system.contact ? ` (${system.contact})` : ''} e anexe o comprovante.`,
          en: `Do it in ${system.name}${system.contact ? ` (${system.contact})` : ''} and attach the proof.`,
        },
      })
  return list
}

function unique(hmacs: readonly Uint8Array[]): Uint8Array[] {
  return [...new Map(hmacs.map((hmac) => [Buffer.from(hmac).toString('hex'), hmac])).values()]
}
