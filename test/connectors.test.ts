/** The pages written from the connectors, and what every one of them says about withdrawals. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { connectorReference, paginaDosConectores } from '../build/connectors.ts'
import { registry, sandboxes } from '../connectors/index.ts'
import { STARTER_PURPOSES } from '../consent/purposes.ts'
import { checkSettings } from '../core/config.ts'

test.each([
  ['docs/reference/connectors.md', connectorReference],
  ['docs/pt/conectores.md', paginaDosConectores],
])('%s is what build/connectors.ts writes today', (path, write) => {
  const page = readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')
  expect(page, 'run npm run build:connectors').toBe(write())
})

test('what takes a withdrawal on names purposes that exist, and needs nothing a rule would set', () => {
  const withdrawing = [...registry.destinations.values()].flatMap(({ id, actions }) =>
    Object.entries(actions).flatMap(([name, { withdraws, payload }]) =>
      withdraws === undefined ? [] : [{ action: `${id}.${name}`, withdraws: withdraws as readonly string[], payload }],
    ),
  )
  expect(withdrawing.length).toBeGreaterThan(8)
  for (const { action, withdraws, payload } of withdrawing) {
    for (const purpose of withdraws)
      expect([action, purpose === '*' || Object.hasOwn(STARTER_PURPOSES, purpose)]).toEqual([action, true])
    const { required = [], properties } = payload as {
      required?: readonly string[]
      properties: Record<string, { from?: unknown; default?: unknown }>
    }
    const unset = required.filter((field) => {
      const { from, default: fallback } = properties[field]!
      return from === undefined && fallback === undefined
    })
    expect([action, unset]).toEqual([action, []])
  }
})

test.each(Object.values(sandboxes))(
  'the settings of the $connector sandbox are what a configuration may say',
  (sandbox) => {
    const { settings } = registry.destinations.get(sandbox.connector)!
    expect(() => checkSettings(settings, sandbox.settings('http://127.0.0.1:1'), sandbox.connector)).not.toThrow()
  },
)

test.each([
  ['slack', { token: 'xoxb-1', channel: 'C1' }],
  [
    'google-ads',
    {
      customerId: '1234567890',
      serviceAccount: { clientEmail: 'a@b.example', privateKeyId: 'key-01234', privateKey: 'PRIVATE KEY' },
    },
  ],
])('%s takes its other kind of credential, and refuses to have none', (id, given) => {
  const { settings } = registry.destinations.get(id)!
  expect(() => checkSettings(settings, given, id)).not.toThrow()
  expect(() => checkSettings(settings, id === 'slack' ? {} : { customerId: '1234567890' }, id)).toThrow('is missing')
  expect(() => checkSettings(settings, { ...given, misspelt: 1 }, id)).toThrow('misspelt')
})
