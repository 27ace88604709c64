/** What a definition lacks, in words: a connector written in JavaScript, or by hand, was seen by no compiler. */

export type Role = 'source' | 'destination' | 'sandbox'

type Kind = 'text' | 'function' | 'object' | 'list' | 'address' | 'number'

const PARTS: Readonly<Record<Role, Readonly<Record<string, Kind>>>> = {
  source: {
    id: 'text',
    name: 'text',
    docs: 'text',
    support: 'text',
    settings: 'object',
    routes: 'list',
    maxBytes: 'number',
    volatileFields: 'list',
    credentials: 'function',
    keys: 'function',
    verify: 'function',
    normalize: 'function',
    accept: 'function',
  },
  destination: {
    id: 'text',
    name: 'text',
    docs: 'text',
    support: 'text',
    baseUrl: 'address',
    settings: 'object',
    limits: 'object',
    actions: 'object',
    check: 'function',
    deleteSubject: 'object',
    exportSubject: 'object',
    correctSubject: 'object',
    feedback: 'object',
  },
  sandbox: { connector: 'text', state: 'function', settings: 'function', refused: 'function', handle: 'function' },
}

const ACTION: Readonly<Record<string, Kind>> = {
  title: 'object',
  description: 'object',
  purpose: 'text',
  kind: 'text',
  identifier: 'list',
  payload: 'object',
}

const SEEN: Readonly<Record<Kind, string>> = {
  text: 'a text',
  function: 'a function',
  object: 'an object',
  list: 'a list',
  address: 'an address or a function that gives one',
  number: 'a number',
}

const CONNECTOR_ID = /^[a-z][a-z0-9-]{0,38}$/

const HOST = /^(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+(:\d+)?$/i

/** @returns one sentence per fault, empty when the core can work with it. */
export function faultsOf(role: Role, value: unknown): string[] {
  if (!isObject(value)) return [`what it exports is no ${role} definition.`]
  const faults = missing(value, PARTS[role], '')
  if (typeof value['id'] === 'string' && !CONNECTOR_ID.test(value['id']))
    faults.push(`the id "${value['id']}" must be lower-case letters, digits and hyphens, beginning with a letter.`)
  const { actions, hosts } = value
  if (hosts !== undefined && !(Array.isArray(hosts) && hosts.every((host) => HOST.test(String(host)))))
    faults.push("hosts is wrong. It is a list of names without https:// and path, such as ['login.clima.example'].")
  if (role !== 'destination' || !isObject(actions)) return faults
  if (Object.keys(actions).length === 0) faults.push('has no action.')
  for (const [name, action] of Object.entries(actions)) {
    if (!isObject(action)) {
      faults.push(`actions.${name} must be an object.`)
      continue
    }
    faults.push(...missing(action, ACTION, `actions.${name}.`))
    if (action['idempotency'] === undefined)
      faults.push(`actions.${name}.idempotency is missing. Write {key: hours}, 'natural' or, when in doubt, 'none'.`)
    const performs = ['perform', 'performBatch'].filter((key) => typeof action[key] === 'function')
    if (performs.length !== 1)
      faults.push(`actions.${name} needs exactly one of perform and performBatch; it has ${performs.length}.`)
    if (performs[0] === 'performBatch' && !isObject(action['batch']))
      faults.push(`actions.${name}.batch is missing. Write how many items a request may carry: {max: 100}.`)
  }
  return faults
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value)

const fits = (value: unknown, kind: Kind): boolean => {
  if (kind === 'text') return typeof value === 'string' && value !== ''
  if (kind === 'address') return typeof value === 'function' || (typeof value === 'string' && URL.canParse(value))
  if (kind === 'list') return Array.isArray(value)
  return kind === 'object' ? isObject(value) : typeof value === kind
}

const missing = (value: Record<string, unknown>, parts: Readonly<Record<string, Kind>>, at: string): string[] =>
  Object.entries(parts)
    .filter(([name, kind]) => !fits(value[name], kind))
    .map(
      ([name, kind]) => `${at}${name} ${value[name] === undefined ? 'is missing' : 'is wrong'}. It is ${SEEN[kind]}.`,
    )
