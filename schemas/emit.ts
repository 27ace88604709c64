import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { BacktestReport } from './backtest.ts'
import { Config } from './config.ts'
import { CanonicalEvent } from './event.ts'
import { TrackingPlan } from './plan.ts'
import { Rule } from './rule.ts'

/** The JSON Schemas people's editors and programs read. `node schemas/emit.ts` writes them; `--check` fails when they are stale. */
const emitted = { event: CanonicalEvent, rule: Rule, config: Config, plan: TrackingPlan, backtest: BacktestReport }

const folder = fileURLToPath(new URL('./json/', import.meta.url))
const check = process.argv.includes('--check')
mkdirSync(folder, { recursive: true })
for (const [name, schema] of Object.entries(emitted)) {
  const path = `${folder}${name}.json`
  const text = `${JSON.stringify({ $schema: 'https://json-schema.org/draft/2020-12/schema', ...schema }, null, 2)}\n`
  if (!check) writeFileSync(path, text)
  else if (readFileSync(path, 'utf8') !== text) {
    console.error(`${path} is stale: run npm run build:schemas`)
    process.exitCode = 1
  }
}
