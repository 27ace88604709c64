/** The answer as a person reads it: plain HTML that opens from disk, no script, nothing loaded from anywhere. */
import type { Statement } from './statement.ts'

export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`)

const STYLE =
  'body{font:1rem/1.6 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1.5rem;color:#1c2430;background:#fff}h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}table{border-collapse:collapse;width:100%;font-size:.9375rem}th,td{border-top:1px solid #c9d0da;padding:.4rem .6rem .4rem 0;text-align:left;vertical-align:top;overflow-wrap:anywhere}section{overflow-x:auto}.mark{background:#fff3cd;color:#5c4300;padding:.25rem .75rem}'

export function statementHtml(statement: Statement): string {
  const { language } = statement
  const say = (pt: string, en: string) => (language === 'pt' ? pt : en)
  const time = (at: number | null) =>
    at === null
      ? say('não informado', 'not told')
      : new Intl.DateTimeFormat(language === 'pt' ? 'pt-BR' : 'en-GB', {
          dateStyle: 'short',
          timeStyle: 'short',
          timeZone: statement.timezone,
        }).format(new Date(at))
  const table = (title: string, heads: readonly string[], rows: readonly (readonly string[])[], none: string) =>
    `<section><h2>${escapeHtml(title)}</h2>${
      rows.length === 0
        ? `<p>${escapeHtml(none)}</p>`
        : `<table><thead><tr>${heads.map((head) => `<th scope="col">${escapeHtml(head)}</th>`).join('')}</tr></thead><tbody>${rows
            .map((row) => `<tr>${row.map((cell) => `<td>${escapeHtml(cell)}</td>`).join('')}</tr>`)
            .join('')}</tbody></table>`
    }</section>`
  const nothing = say('Nada guardado.', 'Nothing held.')
  const sections = [
    statement.nothingHeld
      ? `<p><strong>${say('Não temos dados pessoais seus.', 'We hold no personal data of yours.')}</strong> ${say('Procuramos pelos identificadores que você informou.', 'We looked for the identifiers you gave.')}</p>`
      : '',
    statement.parts.includes('purposes')
      ? table(
          say('Finalidades e critérios', 'Purposes and criteria'),
          [
            say('Finalidade', 'Purpose'),
            say('Base legal', 'Legal basis'),
            say('Situação', 'Status'),
            say('Se você negar', 'If you refuse'),
          ],
          statement.purposes.map((purpose) => [
            purpose.title[language],
            `${purpose.basis} (${purpose.article})`,
            purpose.status,
            purpose.refusal[language],
          ]),
          nothing,
        )
      : '',
    statement.parts.includes('categories')
      ? table(
          say('Categorias de dados e origem', 'Categories of data and origin'),
          [say('Categoria', 'Category'), say('Quantidade', 'Count'), say('Origem', 'Origin')],
          statement.categories.map((category) => [
            category.title[language],
            String(category.count),
            category.origins.join(', '),
          ]),
          nothing,
        )
      : '',
    statement.parts.includes('recipients')
      ? table(
          say('Com quem foram compartilhados', 'Whom they were shared with'),
          [
            say('Quem recebeu', 'Recipient'),
            say('Papel', 'Role'),
            say('País', 'Country'),
            say('Finalidades', 'Purposes'),
            say('Primeira vez', 'First'),
            say('Última vez', 'Last'),
          ],
          statement.recipients.map((recipient) => [
            recipient.name,
            recipient.role === 'controller' ? say('controlador', 'controller') : say('operador', 'operator'),
            recipient.country ?? say('não declarado', 'not declared'),
            recipient.purposes.join(', '),
            time(recipient.firstAt),
            time(recipient.lastAt),
          ]),
          say('Com ninguém.', 'With nobody.'),
        )
      : '',
    statement.parts.includes('data')
      ? table(
          say('Seus dados', 'Your data'),
          [
            say('Campo', 'Field'),
            say('Valor', 'Value'),
            say('Origem', 'Origin'),
            say('Desde', 'Since'),
            say('Finalidades', 'Purposes'),
          ],
          statement.fields.map((field) => [
            field.path,
            text(field.value),
            field.origin,
            time(field.at),
            field.purposes.join(', '),
          ]),
          nothing,
        ) +
        table(
          say('Eventos', 'Events'),
          [
            say('Quando', 'When'),
            say('Evento', 'Event'),
            say('Origem', 'Origin'),
            say('Conteúdo', 'Content'),
            say('Finalidades', 'Purposes'),
          ],
          statement.events.map((event) => [
            time(event.at),
            event.name,
            event.origin,
            text(event.content),
            event.purposes.join(', '),
          ]),
          nothing,
        )
      : '',
    statement.parts.includes('decisions')
      ? table(
          say('Decisões automatizadas', 'Automated decisions'),
          [say('Quando', 'When'), say('Regra', 'Rule'), say('Resultado', 'Result'), say('Critérios', 'Criteria')],
          statement.decisions.map((decision) => [
            time(decision.at),
            `${decision.rule} v${decision.version}`,
            decision.result,
            decision.criteria[language],
          ]),
          say('Nenhuma.', 'None.'),
        )
      : '',
    statement.parts.includes('consents')
      ? table(
          say('Suas respostas sobre consentimento', 'Your answers about consent'),
          [
            say('Quando', 'When'),
            say('Finalidade', 'Purpose'),
            say('Resposta', 'Answer'),
            say('Aviso', 'Notice'),
            say('Registro', 'Entry'),
          ],
          statement.consents.map((consent) => [
            time(consent.at),
            consent.purpose,
            consent.status,
            consent.notice ? `${consent.notice.id} v${consent.notice.version}` : '',
            consent.entryId,
          ]),
          nothing,
        ) +
        statement.notices
          .map(
            (notice) =>
              `<section><h2>${say('Aviso', 'Notice')} ${escapeHtml(notice.id)} v${notice.version}</h2><p style="white-space:pre-wrap">${escapeHtml(notice.text)}</p></section>`,
          )
          .join('')
      : '',
    statement.parts.includes('outcome')
      ? table(
          say('O que foi feito', 'What was done'),
          [say('Item', 'Item'), say('Quantidade', 'Count')],
          statement.erased.map((item) => [item.what[language], String(item.count)]),
          say('Nada foi alterado.', 'Nothing was changed.'),
        ) +
        table(
          say('O que ficou guardado, e por quê (art. 16)', 'What stays, and why (art. 16)'),
          [
            say('Item', 'Item'),
            say('Quantidade', 'Count'),
            say('Fundamento', 'Ground'),
            say('Motivo', 'Reason'),
            say('Até', 'Until'),
          ],
          statement.kept.map((item) => [
            item.what[language],
            String(item.count),
            item.ground,
            item.reason[language],
            item.until?.[language] ?? '',
          ]),
          say('Nada.', 'Nothing.'),
        ) +
        table(
          say('Quem foi avisado', 'Who was told'),
          [
            say('Quem', 'Who'),
            say('Pedido', 'Asked to'),
            say('Situação', 'Status'),
            say('Quando', 'When'),
            say('Resposta', 'Answer'),
          ],
          statement.receipts.map((receipt) => [
            receipt.recipient,
            receipt.operation,
            receipt.status,
            time(receipt.doneAt),
            receipt.answer ?? '',
          ]),
          say('Ninguém tinha dados seus por nosso intermédio.', 'Nobody had data of yours through us.'),
        )
      : '',
  ]
  return `<!doctype html>
<html lang="${language === 'pt' ? 'pt-BR' : 'en'}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">
<title>${escapeHtml(statement.title[language])} · ${escapeHtml(statement.organization)}</title><style>${STYLE}</style></head>
<body>
${statement.simulated ? `<p class="mark">${say('SIMULADO: dados de demonstração', 'SIMULATED: demonstration data')}</p>` : ''}
<h1>${escapeHtml(statement.title[language])}</h1>
<p>${escapeHtml(statement.organization)} · ${say('Pedido', 'Request')} ${escapeHtml(statement.requestId)} · LGPD ${escapeHtml(statement.article)} · ${time(statement.at)}</p>
${statement.dpo ? `<p>${say('Encarregado (art. 41)', 'Data protection officer (art. 41)')}: ${escapeHtml(statement.dpo.name)}, ${escapeHtml(statement.dpo.email)}</p>` : ''}
${sections.join('\n')}
<footer><p>${say('Você também pode reclamar à ANPD (LGPD, art. 18, §1º).', 'You may also complain to the ANPD (LGPD art. 18 §1).')}</p></footer>
</body></html>
`
}

const text = (value: unknown): string =>
  value === null || value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value)
