/** `anuente preview`: what would be sent for a case, sending nothing. */
import type { Command } from 'commander'
import { preview } from '../core/delivery/preview.ts'
import { readLines } from './lines.ts'
import { openConfigIfThere, type StandardOptions, standard } from './options.ts'
import { type Cli, writeJson } from './output.ts'

export function addPreview(program: Command, cli: Cli): void {
  const command = program
    .command('preview')
    .summary('show what would be sent, sending nothing')
    .description(
      'Reads one case per line, {destination, action?, settings, event, profile?, consent?, now?}, and prints {"requests":[…]}, {"halt":{code,…}} or {"error":…}. Without "action" all actions that follow the event run; without "consent" nothing is permitted; "consent":"granted" permits every purpose.',
    )
    .action(async (options: StandardOptions) => {
      // Cases may name connectors alone; those that name an instance are told when the file is missing or wrong.
      const loaded = await openConfigIfThere(options, cli, true)
      for await (const text of readLines(cli, 'preview')) await writeJson(cli.stdout, await previewLine(text))

      async function previewLine(text: string): Promise<unknown> {
        let input: unknown
        try {
          input = JSON.parse(text)
        } catch {
          return { error: { code: 'MALFORMED_JSON', message: 'the line is not valid JSON', path: '' } }
        }
        return preview(input, { registry: cli.registry, loaded })
      }
    })
  standard(command, [
    'anuente preview < cases.ndjson',
    `echo '{"destination":"rdstation","action":"sendConversion","settings":{"accessToken":"token-12345"},"event":{"type":"track","event":"Order Completed","userId":"u1"},"profile":{"traits":{"email":"ana@example.com"}},"consent":"granted"}' | anuente preview`,
    'anuente preview --config ./loja.yaml < cases.ndjson | jq .requests[].url',
  ])
}
