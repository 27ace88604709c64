/** The record of art. 37 as a file: CSV for a spreadsheet, HTML for paper, JSON for programs. */
import { DateTime } from 'luxon'
import type { Document, Ropa, RopaActivity } from '../../schemas/records.ts'

export type Language = 'pt' | 'en'

const BLOCKS: readonly {
  readonly title: Record<Language, string>
  readonly lines: (activity: RopaActivity, language: Language) => string[]
}[] = [
  {
    title: { pt: '1. Contato', en: '1. Contact' },
    lines: ({ contact: { controller, cnpj, dpo, dpoEmail } }, language) =>
      [
        controller,
        cnpj && `CNPJ ${cnpj}`,
        dpo &&
          `${language === 'pt' ? 'Encarregado' : 'Data protection officer'}: ${[dpo, dpoEmail].filter(Boolean).join(', ')}`,
      ].filter((line): line is string => Boolean(line)),
  },
  {
    title: { pt: '2. Titulares', en: '2. Subjects' },
    lines: ({ subjects }, language) => subjects.map((item) => item[language]),
  },
  {
    title: { pt: '3. Dados pessoais', en: '3. Personal data' },
    lines: ({ data }, language) => [
      ...data.declared,
      ...(data.sensitive ? [language === 'pt' ? 'Dados sensíveis (art. 5º, II)' : 'Sensitive data (art. 5 II)'] : []),
      language === 'pt'
        ? `Observado: ${data.events} eventos, ${data.people} pessoas, de ${data.sources.join(', ') || 'nenhuma fonte'}`
        : `Observed: ${data.events} events, ${data.people} people, from ${data.sources.join(', ') || 'no source'}`,
      ...(data.seen.length > 0
        ? [`${language === 'pt' ? 'Campos vistos' : 'Fields seen'}: ${data.seen.join(', ')}`]
        : []),
    ],
  },
  {
    title: { pt: '4. Compartilhamento', en: '4. Sharing' },
    lines: ({ sharing }, language) =>
      sharing.map(({ name, destination, role, country, transfer, delivered }) =>
        [
          `${name} (${destination})`,
          language === 'pt' ? (role === 'controller' ? 'controlador' : 'operador') : role,
          country ?? (language === 'pt' ? 'país não declarado' : 'country not declared'),
          transfer,
          language === 'pt' ? `${delivered} entregas` : `${delivered} deliveries`,
        ]
          .filter(Boolean)
          .join(', '),
      ),
  },
  {
    title: { pt: '5. Segurança', en: '5. Security' },
    lines: ({ security }, language) => security.map((item) => item[language]),
  },
  {
    title: { pt: '6. Retenção', en: '6. Retention' },
    lines: ({ retention }, language) => retention.map((item) => item[language]),
  },
  {
    title: { pt: '7. Processo, finalidade e base legal', en: '7. Process, purpose, legal basis' },
    lines: ({ purpose, process }, language) => [
      `${process.title[language]} (${purpose})`,
      ...(process.description ? [process.description[language]] : []),
      process.article,
      ...(process.rules.length > 0 ? [`${language === 'pt' ? 'Regras' : 'Rules'}: ${process.rules.join(', ')}`] : []),
      ...(process.automated
        ? [language === 'pt' ? 'Decisão unicamente automatizada (art. 20)' : 'Decided by automation alone (art. 20)']
        : []),
    ],
  },
  {
    title: { pt: '8. Observações', en: '8. Remarks' },
    lines: ({ remarks }, language) => remarks.map((item) => item[language]),
  },
]

export function exportRopa(ropa: Ropa, format: 'csv' | 'json' | 'html', language: Language): Document {
  const day = new Date(ropa.at).toISOString().slice(0, 10)
  const name = `ropa-${day}-${language}.${format}`
  if (format === 'json') return { name, type: 'application/json', text: `${JSON.stringify(ropa, null, 2)}\n` }
  if (format === 'csv') return { name, type: 'text/csv; charset=utf-8', text: csv(ropa, language) }
  return { name, type: 'text/html; charset=utf-8', text: html(ropa, language) }
}

function csv(ropa: Ropa, language: Language): string {
  const rows = [
    BLOCKS.map(({ title }) => title[language]),
    ...ropa.activities.map((activity) => BLOCKS.map(({ lines }) => lines(activity, language).join('\n'))),
  ]
  // The byte order mark is what makes spreadsheets read UTF-8.
  return `\ufeff${rows.map((row) => row.map(csvCell).join(';')).join('\r\n')}\r\n`
}

/** A cell that a spreadsheet would take for a formula is made text. */
function csvCell(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[";\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

const escapeHtml = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')

function html(ropa: Ropa, language: Language): string {
  const say = (pt: string, en: string) => (language === 'pt' ? pt : en)
  const when = DateTime.fromMillis(ropa.at, { zone: 'America/Sao_Paulo' })
    .setLocale(language === 'pt' ? 'pt-BR' : 'en')
    .toLocaleString(DateTime.DATETIME_MED)
  const activities = ropa.activities
    .map(
      (activity) =>
        `<section><h2>${escapeHtml(activity.process.title[language])}</h2><dl>${BLOCKS.map(
          ({ title, lines }) =>
            `<dt>${escapeHtml(title[language])}</dt><dd>${lines(activity, language).map(escapeHtml).join('<br>') || '&ndash;'}</dd>`,
        ).join('')}</dl></section>`,
    )
    .join('\n')
  const drift = ropa.drift
    .map(({ subject, detail }) => `<li>${escapeHtml(`${subject}: ${detail[language]}`)}</li>`)
    .join('')
  return `<!doctype html>
<html lang="${say('pt-BR', 'en')}"><head><meta charset="utf-8"><title>${say('Registro das operações de tratamento', 'Record of processing operations')}</title>
<style>body{font:14px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}section{break-inside:avoid;border-top:1px solid #999}dt{font-weight:600;margin-top:.5rem}dd{margin:0}</style></head>
<body><h1>${say('Registro das operações de tratamento de dados pessoais', 'Record of processing operations')}</h1>
<p>${escapeHtml(ropa.organization)} &middot; ${escapeHtml(when)} &middot; LGPD art. 37</p>
${activities}
<section><h2>${say('Declarado e observado', 'Declared and observed')}</h2>${drift ? `<ul>${drift}</ul>` : `<p>${say('Sem divergências.', 'Nothing differs.')}</p>`}</section>
<p><small>hash ${ropa.hash}${ropa.checkpoint ? ` &middot; ${say('livro', 'ledger')} ${ropa.checkpoint.size} ${ropa.checkpoint.root}` : ''}</small></p>
</body></html>
`
}
