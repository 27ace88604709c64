import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { registry } from '../connectors/index.ts'
import { STARTER_PURPOSES } from '../consent/purposes.ts'
import { loadConfig } from '../core/config.ts'
import { readSurroundings } from '../core/roles/surroundings.ts'
import { PREFERRED_PORTS, SOURCE_KEYS, writeDemoConfig } from './config.ts'
import { startVendors } from './vendors.ts'

const template = join(import.meta.dirname, 'anuente.yaml')
let dir: string | undefined
afterEach(() => {
  if (dir) rmSync(dir, { recursive: true, force: true })
  dir = undefined
})

it('the template runs as it stands, without a warning', () => {
  const loaded = loadConfig(template, { registry, env: {} })
  const { rules, warnings } = readSurroundings(loaded)
  expect([loaded.warnings, warnings]).toEqual([[], []])
  expect(rules.map(({ rule }) => rule.id).sort()).toEqual([
    'alerta-pedido-grande',
    'boas-vindas',
    'carrinho-abandonado',
    'pedido-recebido',
  ])
})

it('nothing in it can reach a real vendor, and everything is marked as simulated', () => {
  const { config } = loadConfig(template, { registry, env: {} })
  expect(config.simulated).toBe(true)
  expect(config.organization.name).toContain('simulada')
  for (const [id, { sandbox, role, country, transfer }] of Object.entries(config.destinations ?? {})) {
    expect([id, sandbox]).toEqual([id, expect.stringMatching(/^http:\/\/127\.0\.0\.1:8788\/[a-z]+$/)])
    expect([id, role]).toEqual([id, expect.stringMatching(/^(operator|controller)$/)])
    expect([id, country === 'BR' || transfer !== undefined]).toEqual([id, true])
  }
})

it('has every starter purpose, and asks for sharing with Meta by name', () => {
  const { config } = loadConfig(template, { registry, env: {} })
  expect(Object.keys(config.purposes)).toEqual([...Object.keys(STARTER_PURPOSES), 'share.meta'])
  for (const [id, starter] of Object.entries(STARTER_PURPOSES))
    expect([id, config.purposes[id]!.basis, config.purposes[id]!.scope]).toEqual([id, starter.basis, starter.scope])
})

it('the credentials are those of the sandboxes, and the keys those of the shop', async () => {
  const { config } = loadConfig(template, { registry, env: {} })
  const vendors = await startVendors()
  try {
    for (const { connector, settings } of Object.values(config.destinations ?? {}))
      expect(settings).toMatchObject(
        connector === 'rdstation'
          ? { accessToken: vendors.settings(connector)['accessToken'] }
          : vendors.settings(connector),
      )
  } finally {
    await vendors.close()
  }
  const keys = Object.values(config.sources).map(
    ({ settings = {} }) => settings['writeKey'] ?? settings['measurementId'] ?? settings['token'],
  )
  expect(keys).toEqual(Object.values(SOURCE_KEYS))
})

it('is written with the ports that are free, and rules that were edited stay', () => {
  dir = mkdtempSync(join(tmpdir(), 'anuente-demo-'))
  const file = writeDemoConfig(dir, { hub: 40_001, vendors: 40_002, mail: 40_005 })
  const edited = join(dir, 'rules', 'boas-vindas.yaml')
  writeFileSync(edited, readFileSync(edited, 'utf8').replace('version: 1', 'version: 2'))
  writeDemoConfig(dir, { hub: 40_003, vendors: 40_004, mail: 40_005 })
  const loaded = loadConfig(file, { registry, env: {} })
  expect([loaded.port, loaded.publicUrl]).toEqual([40_003, 'http://localhost:40003'])
  expect(loaded.config.network?.allow).toEqual(['127.0.0.1:40004'])
  expect(readFileSync(file, 'utf8')).not.toMatch(new RegExp(Object.values(PREFERRED_PORTS).join('|')))
  expect(readFileSync(edited, 'utf8')).toContain('version: 2')
})
