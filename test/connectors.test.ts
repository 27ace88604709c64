/** The reference page of the connectors, and what every one of them says about withdrawals. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { connectorReference } from '../build/connectors.ts'
import { registry } from '../connectors/index.ts'
import { STARTER_PURPOSES } from '../consent/purposes.ts'

test('docs/reference/connectors.md is what build/connectors.ts writes today', () => {
  const page = readFileSync(new URL('../docs/reference/connectors.md', import.meta.url), 'utf8')
  expect(page, 'run node build/connectors.ts').toBe(connectorReference())
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
