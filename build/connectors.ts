/**
 * Writes docs/reference/connectors.md from the definitions: settings, actions, limits, rights and feedback of every
 * connector; and docs/pt/conectores.md, what of it marketing and compliance read. `--check` writes nothing and
 * fails when a page is stale.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { TSchema } from 'typebox'
import { registry } from '../connectors/index.ts'
import type { AnyDestination, AnySource, Localized } from '../core/kit/define.ts'

interface Shape {
  readonly type?: string
  readonly const?: unknown
  readonly anyOf?: readonly Shape[]
  readonly properties?: Readonly<Record<string, TSchema>>
  readonly patternProperties?: unknown
  readonly items?: Shape
  readonly required?: readonly string[]
  readonly secret?: boolean
  readonly default?: unknown
  readonly description?: string
  readonly from?: string | readonly string[]
}

/** A table cell: no line break, and no bar that would end it. */
const cell = (text: string): string => text.replace(/\s+/g, ' ').replaceAll('|', '\\|').trim()
const row = (...cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`
const table = (head: readonly string[], rows: readonly string[]): string[] =>
  rows.length === 0 ? [] : [row(...head), row(...head.map(() => '---')), ...rows, '']

function typeOf(shape: Shape): string {
  if (shape.const !== undefined) return JSON.stringify(shape.const)
  if (shape.anyOf?.every((inner) => inner.const !== undefined)) return shape.anyOf.map(typeOf).join(' or ')
  if (shape.type === 'array') return `list of ${shape.items ? typeOf(shape.items) : 'values'}`
  if (shape.type === 'object') return shape.patternProperties ? 'map' : 'object'
  return shape.type ?? 'value'
}

const settingsTable = (schema: TSchema): string[] => {
  const shape = schema as Shape
  return table(
    ['setting', 'type', '', 'meaning'],
    Object.entries(shape.properties ?? {}).map(([name, property]) => {
      const one = property as Shape
      const marks = [
        ...(shape.required?.includes(name) && one.default === undefined ? ['required'] : []),
        ...(one.secret ? ['secret'] : []),
        ...(one.default === undefined ? [] : [`default \`${JSON.stringify(one.default)}\``]),
      ]
      return row(`\`${name}\``, typeOf(one), marks.join(', '), one.description ?? '')
    }),
  )
}

const repeats = (idempotency: { readonly key: number } | 'natural' | 'none'): string =>
  idempotency === 'natural'
    ? 'same as once'
    : idempotency === 'none'
      ? 'counts twice'
      : `recognised for ${idempotency.key} h`

const listed = (value: string | readonly string[] | undefined): string =>
  value === undefined ? '' : typeof value === 'string' ? value : value.join(', ')

/** How many of the checks of docs/reference/contract.md a destination makes: build/contract-table.js writes that first. */
function coverageOf(id: string): string {
  const page = readFileSync(new URL('../docs/reference/contract.md', import.meta.url), 'utf8')
  const lines = (page.split('## Sources')[0] ?? '').split('\n').filter((line) => line.startsWith('| '))
  const cells = (line: string) => line.split(/(?<!\\)\|/).map((text) => text.trim())
  const column = cells(lines[0] ?? '').indexOf(id)
  const checks = lines.slice(2)
  const made = column < 0 ? 0 : checks.filter((line) => cells(line)[column] === '✓').length
  return `${made} of ${checks.length} checks`
}

function actionsOf({ actions }: AnyDestination): string[] {
  const rows = Object.entries(actions).map(([name, action]) =>
    row(
      `\`${name}\``,
      `${action.title.en}. ${action.description.en}`,
      `${action.purpose}${action.channel === undefined ? '' : ` (${action.channel})`}`,
      action.kind,
      repeats(action.idempotency),
      action.trigger ? [listed(action.trigger.type), listed(action.trigger.name)].filter(Boolean).join(': ') : '',
      listed(action.withdraws),
    ),
  )
  return table(['action', 'what it does', 'purpose (channel)', 'lane', 'sent twice', 'follows', 'takes back'], rows)
}

const rightOf = (right: AnyDestination['deleteSubject']): string =>
  'implemented' in right
    ? 'by the API'
    : 'manual' in right
      ? `by hand: ${right.manual.en}`
      : `impossible: ${right.impossible.en}`

function destinationPage(definition: AnyDestination): string[] {
  const { limits, feedback } = definition
  const windows = (limits.windows ?? []).map(({ seconds, max }) => `${max} per ${seconds} s`)
  const contacts = (limits.perContact ?? []).map(
    ({ seconds, max, actions }) => `${max} per ${seconds} s and contact (${actions.join(', ')})`,
  )
  const said: Localized = 'none' in feedback ? feedback.none : feedback.webhook
  return [
    `### ${definition.id}: ${definition.name}`,
    '',
    `\`${definition.support}\`. [Documentation of the vendor](${definition.docs}).${
      definition.apiVersion
        ? ` Version ${definition.apiVersion.version}; [its end of life](${definition.apiVersion.docs}).`
        : ''
    }`,
    '',
    ...(definition.oauth
      ? [
          `Connected by OAuth ([how](../connectors.md#accounts-connected-by-oauth), [the vendor's page](${definition.oauth.docs})).`,
          '',
        ]
      : []),
    ...actionsOf(definition),
    ...settingsTable(definition.settings),
    `- Limits: ${[`${limits.perSecond} requests a second`, `${limits.concurrency} at a time`, ...windows, ...contacts].join('; ')}.`,
    `- Deletion: ${rightOf(definition.deleteSubject)}`,
    `- Copy: ${rightOf(definition.exportSubject)}`,
    `- Correction: ${rightOf(definition.correctSubject)}`,
    `- Feedback: ${said.en}`,
    '',
  ]
}

const sourcePage = (definition: AnySource): string[] => [
  `### ${definition.id}: ${definition.name}`,
  '',
  `\`${definition.support}\`. [Documentation of the vendor](${definition.docs}). Paths: ${[
    `/in/<source id>`,
    ...definition.routes.map(({ path }) => path),
  ]
    .map((path) => `\`${path}\``)
    .join(', ')}.`,
  '',
  ...settingsTable(definition.settings),
]

const byId = <T extends { readonly id: string }>(map: ReadonlyMap<string, T>): T[] =>
  [...map.values()].sort((a, b) => (a.id < b.id ? -1 : 1))

/** The whole page. */
export function connectorReference(): string {
  const destinations = byId(registry.destinations)
  const overview = destinations.map(({ id, support, actions, deleteSubject, feedback }) =>
    row(
      `[${id}](#${id}-${registry.destinations
        .get(id)!
        .name.toLowerCase()
        .replace(/[^\w -]/g, '')
        .replace(/ /g, '-')})`,
      support,
      Object.keys(actions).length.toString(),
      'implemented' in deleteSubject ? 'by the API' : 'manual' in deleteSubject ? 'by hand' : 'impossible',
      Object.values(actions).some(({ withdraws }) => withdraws !== undefined) ? 'yes' : 'stops here',
      'none' in feedback ? 'none' : 'webhook',
      coverageOf(id),
    ),
  )
  return `${[
    '<!-- Written by build/connectors.ts from the definitions under connectors/; edits are lost. -->',
    '# Connectors',
    '',
    '## Destinations',
    '',
    ...table(
      ['connector', 'support', 'actions', 'deletion', 'withdrawals passed on', 'feedback', 'contract'],
      overview,
    ),
    ...destinations.flatMap(destinationPage),
    '## Sources',
    '',
    ...byId(registry.sources).flatMap(sourcePage),
  ]
    .join('\n')
    .trim()}\n`
}

// ---------------------------------------------------------------- pt-BR

const ptRight = (right: AnyDestination['deleteSubject']): string =>
  'implemented' in right
    ? 'pela API, sem trabalho manual.'
    : 'manual' in right
      ? `à mão. ${right.manual.pt}`
      : `impossível. ${right.impossible.pt}`

const ptLane: Readonly<Record<string, string>> = { state: 'cadastro', event: 'evento', message: 'mensagem' }
const ptRepeats = (idempotency: { readonly key: number } | 'natural' | 'none', kind: string): string =>
  idempotency === 'natural'
    ? 'igual a uma vez'
    : idempotency === 'none'
      ? kind === 'message'
        ? 'nunca repetida sozinha'
        : 'repetida no máximo uma vez'
      : `reconhecida por ${idempotency.key} h`

function ptPage(definition: AnyDestination): string[] {
  const { feedback } = definition
  const rows = Object.values(definition.actions).map((action) =>
    row(
      action.title.pt,
      action.description.pt,
      action.purpose,
      ptLane[action.kind] ?? action.kind,
      ptRepeats(action.idempotency, action.kind),
      action.withdraws ? 'sim' : '',
    ),
  )
  return [
    `## ${definition.name}`,
    '',
    ...table(['ação', 'o que faz', 'finalidade', 'tipo', 'se a resposta se perde', 'leva revogações'], rows),
    `- **Excluir os dados de uma pessoa:** ${ptRight(definition.deleteSubject)}`,
    `- **Copiar os dados de uma pessoa:** ${ptRight(definition.exportSubject)}`,
    `- **Corrigir os dados de uma pessoa:** ${ptRight(definition.correctSubject)}`,
    `- **O que a ferramenta conta de volta:** ${'none' in feedback ? feedback.none.pt : feedback.webhook.pt}`,
    '',
  ]
}

/** What marketing and the encarregado read, in Portuguese: no settings and no limits. */
/** For those whose tool is connected by OAuth. */
function contaConectada(): string[] {
  const nomes = byId(registry.destinations)
    .filter(({ oauth }) => oauth !== undefined)
    .map(({ name }) => name)
  return [
    '## Conectar uma conta',
    '',
    `Valem para isto: ${nomes.join(', ')}.`,
    '',
    '1. No fornecedor, crie um aplicativo e cadastre nele o endereço de retorno do hub, exatamente como o cockpit o mostra',
    '   (`https://<seu hub>/oauth/callback`).',
    '2. No `anuente.yaml`, escreva `clientId` e `clientSecret` do aplicativo nas configurações do destino, sem `accessToken`.',
    '   O segredo fica melhor fora do arquivo: `anuente secrets set NOME`, e no arquivo `$' + '{secret:NOME}`.',
    '3. No cockpit, em Conectores, escolha **Conectar conta**: você entra na página do fornecedor com a conta da empresa,',
    '   autoriza e volta. Sem navegador na máquina do hub: `anuente connect <destino>`.',
    '',
    'O hub guarda o que recebe lacrado e o renova sozinho, antes do fim. Se o fornecedor retirar a autorização, ou ela vencer,',
    'o destino passa a **Precisa ser conectada de novo**: as entregas dele esperam, nenhuma se perde, e saem quando a conta é',
    'conectada. O aviso aparece no topo do cockpit; da autorização com data de fim (LinkedIn: um ano), duas semanas antes.',
    '',
  ]
}

export function paginaDosConectores(): string {
  return `${[
    '<!-- Escrita por build/connectors.ts a partir das definições em connectors/; mudanças feitas aqui se perdem. -->',
    '# Para onde o hub leva',
    '',
    'O que cada ferramenta recebe do hub, sob qual finalidade, e como atender o titular (LGPD art. 18) em cada uma. Uma ação',
    'só existe dentro de uma finalidade; sem ela nada sai. As configurações estão na',
    '[referência](../reference/connectors.md), em inglês.',
    '',
    ...contaConectada(),
    ...byId(registry.destinations).flatMap(ptPage),
  ]
    .join('\n')
    .trim()}\n`
}

if (import.meta.main) {
  for (const [path, text] of [
    ['docs/reference/connectors.md', connectorReference()],
    ['docs/pt/conectores.md', paginaDosConectores()],
  ] as const) {
    const target = fileURLToPath(new URL(`../${path}`, import.meta.url))
    if (existsSync(target) && readFileSync(target, 'utf8') === text) continue
    if (process.argv.includes('--check')) {
      console.error(`${path} is stale: run npm run build:connectors`)
      process.exitCode = 1
    } else writeFileSync(target, text)
  }
}
