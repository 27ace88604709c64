/** What each simulated vendor received, as JSON and as a page to look at. Credentials are never kept. */
import type { SandboxAnswer, SandboxRequest } from '../core/testing/sandbox.ts'
import type { ChaosOrder } from './chaos.ts'

export const KEPT_PER_VENDOR = 200
const SHOWN_PER_VENDOR = 40

export interface Receipt {
  /** ISO 8601. */
  readonly at: string
  readonly connector: string
  readonly method: string
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  readonly body: unknown
  /** Absent: nobody answered. */
  readonly status?: number
  readonly answer?: unknown
  /** The failure that was ordered, when one happened to this request. */
  readonly chaos?: string | number
}

export interface Inbox {
  note(connector: string, request: SandboxRequest, answer: SandboxAnswer | undefined, chaos?: string | number): void
  /** Newest first. */
  receipts(connector?: string): readonly Receipt[]
  /** Ever received, also what is no longer kept. */
  count(connector: string): number
}

export function createInbox(): Inbox {
  const kept = new Map<string, Receipt[]>()
  const counts = new Map<string, number>()
  return {
    note(connector, request, answer, chaos) {
      const list = kept.get(connector) ?? []
      kept.set(connector, list)
      counts.set(connector, (counts.get(connector) ?? 0) + 1)
      list.unshift({
        at: request.now.toISOString(),
        connector,
        method: request.method,
        path: request.path,
        query: masked(request.query) as Record<string, string>,
        body: masked(request.body ?? request.text),
        ...(answer && { status: answer.status }),
        ...(answer?.body !== undefined && { answer: masked(answer.body) }),
        ...(chaos !== undefined && { chaos }),
      })
      list.length = Math.min(list.length, KEPT_PER_VENDOR)
    },
    receipts: (connector) =>
      connector !== undefined
        ? (kept.get(connector) ?? [])
        : [...kept.values()].flat().sort((a, b) => (a.at < b.at ? 1 : -1)),
    count: (connector) => counts.get(connector) ?? 0,
  }
}

const SECRET = /token|secret|password|authorization|api_?key/i

function masked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(masked)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, SECRET.test(name) ? '•••' : masked(inner)]),
  )
}

const html = (text: string) => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)

export interface InboxPage {
  readonly inbox: Inbox
  readonly connectors: readonly string[]
  readonly chaos: readonly ChaosOrder[]
  /** Only this vendor. */
  readonly connector?: string
  /** Do not reload by itself. */
  readonly paused: boolean
  readonly origin: string
}

/** Plain HTML in pt-BR: no script, so that whatever was received can only be text. */
export function inboxPage({ inbox, connectors, chaos, connector, paused, origin }: InboxPage): string {
  const link = (label: string, query: Record<string, string>, current: boolean) =>
    `<a href="/_inbox?${html(new URLSearchParams(query).toString())}"${current ? ' aria-current="page"' : ''}>${html(label)}</a>`
  const filters = [
    link('Todos', { formato: 'html' }, connector === undefined),
    ...connectors.map((id) =>
      link(`${id} (${inbox.count(id)})`, { formato: 'html', fornecedor: id }, id === connector),
    ),
  ]
  const here: Record<string, string> = { formato: 'html', ...(connector !== undefined && { fornecedor: connector }) }
  const pause = paused
    ? link('Voltar a atualizar', here, false)
    : link('Pausar a atualização', { ...here, pausar: '1' }, false)
  const broken = chaos.map(
    ({ connector: id, fail, rate, latencyMs }) =>
      `<li><strong>${html(id)}</strong>: ${html(String(fail ?? 'lento'))} em ${Math.round(rate * 100)}% das requisições${latencyMs > 0 ? `, ${latencyMs} ms de atraso` : ''}</li>`,
  )
  const sections = connectors
    .filter((id) => connector === undefined || id === connector)
    .map((id) => {
      const rows = inbox.receipts(id).slice(0, SHOWN_PER_VENDOR).map(row)
      const table =
        rows.length === 0
          ? '<p>Nada recebido ainda.</p>'
          : `<table><thead><tr><th scope="col">Hora</th><th scope="col">Requisição</th><th scope="col">Resposta</th><th scope="col">Corpo</th></tr></thead><tbody>${rows.join('')}</tbody></table>`
      return `<section><h2>O que ${html(id)} recebeu <small>(${inbox.count(id)} no total, SIMULADO)</small></h2>${table}</section>`
    })
  return `<!doctype html>
<html lang="pt-BR">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
${paused ? '' : '<meta http-equiv="refresh" content="4">'}
<title>SIMULADO · Caixa de entrada dos fornecedores</title>
<style>
:root { color-scheme: light dark; font-family: system-ui, sans-serif; line-height: 1.45; }
body { margin: 0 auto; max-width: 75rem; padding: 0 1rem 3rem; }
.notice { background: #7a4b00; color: #fff; margin: 0 -1rem; padding: .6rem 1rem; font-weight: 600; }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1rem; padding: .75rem 0; }
nav a { padding: .25rem 0; } [aria-current] { font-weight: 700; text-decoration-thickness: 3px; }
section { overflow-x: auto; } table { border-collapse: collapse; width: 100%; min-width: 40rem; table-layout: fixed; font-size: .875rem; }
th:nth-child(1) { width: 5rem; } th:nth-child(2) { width: 28%; } th:nth-child(3) { width: 24%; }
th, td { border-top: 1px solid #8886; padding: .4rem .6rem .4rem 0; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; } small { font-weight: 400; }
</style>
</head>
<body>
<p class="notice">SIMULADO · nenhum fornecedor real recebeu nada e ninguém foi contatado. As pessoas e os pedidos são inventados.</p>
<h1>Caixa de entrada dos fornecedores</h1>
<nav aria-label="Fornecedores">${filters.join('')}${pause}</nav>
${broken.length > 0 ? `<h2>Falhas provocadas</h2><ul>${broken.join('')}</ul>` : ''}
<details><summary>Como provocar uma falha</summary>
<pre>curl -X POST ${html(origin)}/_chaos -d '{"connector":"rdstation","fail":500,"rate":1,"forMs":60000}'
curl -X POST ${html(origin)}/_chaos -d '{"connector":"rdstation","fail":null}'   # tudo bem de novo</pre></details>
${sections.join('\n')}
</body>
</html>`
}

function row({ at, method, path, status, answer, chaos, body }: Receipt): string {
  const time = new Date(at).toLocaleTimeString('pt-BR', { timeZone: 'America/Sao_Paulo' })
  const text = JSON.stringify(body, null, 1) ?? ''
  const said =
    answer === undefined ? '' : `<pre>${html(clip(typeof answer === 'string' ? answer : JSON.stringify(answer)))}</pre>`
  return `<tr><td>${html(time)}</td><td>${html(method)} ${html(clip(path, 80))}</td><td>${status ?? 'sem resposta'}${chaos === undefined ? '' : ` <em>falha provocada: ${html(String(chaos))}</em>`}${said}</td><td><details><summary>${html(clip(text.replace(/\s+/g, ' '), 110))}</summary><pre>${html(clip(text, 6000))}</pre></details></td></tr>`
}

const clip = (text: string, length = 300) => (text.length > length ? `${text.slice(0, length)}…` : text)
