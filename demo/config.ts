/** The demo's configuration: the template beside this file, with the addresses that are free on this machine. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const HUB_PORT = 8787
const VENDOR_PORT = 8788
const MAIL_PORT = 8789

const template = fileURLToPath(new URL('./anuente.yaml', import.meta.url))
const rules = fileURLToPath(new URL('./rules/', import.meta.url))

/** Keys of the sources in anuente.yaml, which the simulated shop sends with. A test compares both. */
export const SOURCE_KEYS = {
  segment: 'wk_demo_site',
  rudderstack: 'wk_demo_app',
  measurementId: 'G-SIMULADO1',
  rdToken: 'simulated-rd-webhook-token',
} as const

export const PREFERRED_PORTS = { hub: HUB_PORT, vendors: VENDOR_PORT, mail: MAIL_PORT } as const

/**
 * Writes `<dir>/anuente.yaml` anew; rules that are there already stay, so that they can be edited.
 * @returns the path of the configuration.
 */
export function writeDemoConfig(dir: string, ports: Readonly<Record<keyof typeof PREFERRED_PORTS, number>>): string {
  mkdirSync(join(dir, 'rules'), { recursive: true, mode: 0o700 })
  const text = readFileSync(template, 'utf8')
    .replaceAll(`127.0.0.1:${VENDOR_PORT}`, `127.0.0.1:${ports.vendors}`)
    .replaceAll(`127.0.0.1:${MAIL_PORT}`, `127.0.0.1:${ports.mail}`)
    .replaceAll(`localhost:${HUB_PORT}`, `localhost:${ports.hub}`)
    .replace(`port: ${HUB_PORT}`, `port: ${ports.hub}`)
  const file = join(dir, 'anuente.yaml')
  writeFileSync(file, text)
  for (const name of readdirSync(rules)) {
    const target = join(dir, 'rules', name)
    if (!existsSync(target)) writeFileSync(target, readFileSync(join(rules, name)))
  }
  return file
}
