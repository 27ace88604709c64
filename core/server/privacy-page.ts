/** The pages a data subject reads: pt-BR first, plain HTML, no script, no tracker. */
import type { Basis, Status } from '../../schemas/consent.ts'
import type { ExplainedJourney } from '../explain.ts'
import { escapeHtml } from '../requests/package-html.ts'

export type PageLanguage = 'pt' | 'en'

export type PageContent =
  | { readonly kind: 'stop'; readonly purpose: { pt: string; en: string }; readonly token: string }
  | { readonly kind: 'stopped'; readonly purpose: { pt: string; en: string } | undefined }
  | {
      readonly kind: 'why'
      readonly journey: ExplainedJourney
      readonly purpose: { pt: string; en: string }
      readonly categories: readonly string[]
      /** Texts the answers rest on, as they were published. */
      readonly notices: readonly { readonly id: string; readonly version: number; readonly text: string }[]
      readonly stopToken: string
    }
  | { readonly kind: 'unknown' | 'gone' }

export interface PageLook {
  readonly organization: string
  readonly dpo: { readonly name: string; readonly email: string } | undefined
  readonly simulated: boolean
  readonly timezone: string
}

export function page(content: PageContent, language: PageLanguage, look: PageLook): string {
  const say = (pt: string, en: string) => (language === 'pt' ? pt : en)
  const { title, body } = render(content, language, look, say)
  const other = language === 'pt' ? 'en' : 'pt'
  const token = 'token' in content ? content.token : 'stopToken' in content ? content.stopToken : ''
  return shell({
    title,
    body: `<article>${body}</article>`,
    language,
    look,
    ...(token && { otherLanguage: `?t=${encodeURIComponent(token)}&lang=${other}` }),
  })
}

export interface Shell {
  readonly title: string
  /** HTML. */
  readonly body: string
  readonly language: PageLanguage
  readonly look: PageLook
  /** Address of the same page in the other language. */
  readonly otherLanguage?: string
  /** HTML on the right of the header, such as a way out. */
  readonly corner?: string
}

/** The frame of every page that a data subject reads. */
export function shell({ title, body, language, look, otherLanguage, corner }: Shell): string {
  const say = (pt: string, en: string) => (language === 'pt' ? pt : en)
  const contact = look.dpo
    ? `<p>${say('Encarregado pelos dados (LGPD, art. 41)', 'Data protection officer (LGPD art. 41)')}: ${escapeHtml(look.dpo.name)}, <a href="mailto:${escapeHtml(look.dpo.email)}">${escapeHtml(look.dpo.email)}</a></p>`
    : ''
  const other = language === 'pt' ? 'en' : 'pt'
  const switchLink = otherLanguage
    ? `<a lang="${other === 'en' ? 'en' : 'pt-BR'}" href="${escapeHtml(otherLanguage)}">${other === 'en' ? 'English' : 'Português'}</a>`
    : ''
  return `<!doctype html>
<html lang="${language === 'pt' ? 'pt-BR' : 'en'}">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">
<title>${escapeHtml(title)} · ${escapeHtml(look.organization)}</title>
<style>
:root{color-scheme:light dark;--text:#1c2430;--soft:#4a5565;--page:#f5f6f8;--card:#fff;--line:#c9d0da;--act:#0b5c8a;--on-act:#fff;--mark:#fff3cd;--on-mark:#5c4300;--bad:#a4141d}
@media(prefers-color-scheme:dark){:root{--text:#e8ecf2;--soft:#b3bdcb;--page:#12161c;--card:#1b212a;--line:#3a4452;--act:#7cc4ef;--on-act:#06202f;--mark:#4a3b08;--on-mark:#ffe9a8;--bad:#ff9c9c}}
*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--text);font:1.0625rem/1.6 system-ui,sans-serif}
main{max-width:40rem;margin:0 auto;padding:1.5rem 1rem 3rem}article{background:var(--card);border:1px solid var(--line);border-radius:.75rem;padding:1.5rem;overflow-wrap:anywhere}article+article{margin-top:1rem}
h1{font-size:1.5rem;line-height:1.25;margin:0 0 1rem}h2{font-size:1.0625rem;margin:1.5rem 0 .25rem}p{margin:.5rem 0}ul{margin:.25rem 0;padding-left:1.25rem}
header,footer{display:flex;gap:1rem;justify-content:space-between;align-items:baseline;flex-wrap:wrap;color:var(--soft);padding:0 .25rem .75rem}footer{padding:1rem .25rem 0;display:block;font-size:.9375rem}
a{color:var(--act)}button{font:inherit;font-weight:600;min-height:2.75rem;padding:.5rem 1.25rem;border-radius:.5rem;border:2px solid var(--act);background:var(--act);color:var(--on-act);cursor:pointer}
button.quiet{background:transparent;color:var(--act)}button:focus-visible,a:focus-visible,input:focus-visible,textarea:focus-visible,select:focus-visible,summary:focus-visible{outline:3px solid var(--text);outline-offset:2px}
form{display:inline-block;margin:.75rem .5rem 0 0}form.wide{display:block}.mark{background:var(--mark);color:var(--on-mark);border-radius:.5rem;padding:.25rem .75rem;font-weight:600}
label{display:block;margin:.75rem 0 .25rem;font-weight:600}label.line{display:flex;gap:.6rem;align-items:flex-start;font-weight:400;min-height:2rem}
input[type=text],input[type=email],input[type=tel],textarea,select{font:inherit;color:inherit;background:var(--card);width:100%;padding:.6rem .75rem;border:1px solid var(--soft);border-radius:.5rem;min-height:2.75rem}
input[type=radio],input[type=checkbox]{width:1.25rem;height:1.25rem;margin:.2rem 0 0;flex:none}fieldset{border:1px solid var(--line);border-radius:.5rem;padding:.25rem 1rem 1rem;margin:1rem 0 0}legend{font-weight:600;padding:0 .35rem}
.soft{color:var(--soft)}.bad{color:var(--bad);font-weight:600}dl{margin:.5rem 0}dt{font-weight:600;margin-top:.5rem}dd{margin:0}.text{white-space:pre-wrap;border-left:3px solid var(--line);padding-left:.75rem}
</style>
</head>
<body><main>
<header><strong>${escapeHtml(look.organization)}</strong>${look.simulated ? `<span class="mark">${say('SIMULADO: dados de demonstração', 'SIMULATED: demonstration data')}</span>` : ''}${switchLink}${corner ?? ''}</header>
${body}
<footer>${contact}</footer>
</main></body></html>`
}

function render(
  content: PageContent,
  language: PageLanguage,
  look: PageLook,
  say: (pt: string, en: string) => string,
): { title: string; body: string } {
  switch (content.kind) {
    case 'stop': {
      const title = say('Parar de receber', 'Stop receiving')
      const purpose = escapeHtml(content.purpose[language])
      return {
        title,
        body: `<h1>${title}</h1>
<p>${say(`Você recebe estas mensagens para: <strong>${purpose}</strong>.`, `You receive these messages for: <strong>${purpose}</strong>.`)}</p>
<p>${say('Ao parar, nada mais sai para esta finalidade a partir da confirmação. É de graça e vale até você mudar de ideia (LGPD, art. 8º, §5º).', 'Once you stop, nothing more leaves for this purpose from the confirmation on. It is free and holds until you change your mind (LGPD art. 8 §5).')}</p>
${stopForm(content.token, language, '', say('Parar estas mensagens', 'Stop these messages'))}
${stopForm(content.token, language, 'all', say('Parar tudo o que depende do meu consentimento', 'Stop everything that rests on my consent'), true)}`,
      }
    }
    case 'stopped': {
      const title = say('Pronto, paramos', 'Done, we stopped')
      return {
        title,
        body: `<h1>${title}</h1><p>${
          content.purpose
            ? say(
                `Você não receberá mais mensagens para: <strong>${escapeHtml(content.purpose.pt)}</strong>.`,
                `You will receive no more messages for: <strong>${escapeHtml(content.purpose.en)}</strong>.`,
              )
            : say(
                'Você não receberá mais nada que dependa do seu consentimento.',
                'You will receive nothing more that rests on your consent.',
              )
        }</p><p>${say('A decisão já vale. Mensagens que tinham acabado de ser entregues ao serviço de envio ainda podem chegar.', 'The decision already holds. Messages that had just been handed to the sending service may still arrive.')}</p>`,
      }
    }
    case 'why':
      return why(content, language, look, say)
    case 'gone': {
      const title = say('Já não guardamos esta mensagem', 'We no longer keep this message')
      return {
        title,
        body: `<h1>${title}</h1><p>${say('O registro desta mensagem já foi eliminado, e nada mais é enviado por causa dela. Para qualquer pedido, escreva ao contato abaixo.', 'The record of this message has been erased, and nothing more is sent because of it. For any request, write to the contact below.')}</p>`,
      }
    }
    default: {
      const title = say('Link não reconhecido', 'Link not recognised')
      return {
        title,
        body: `<h1>${title}</h1><p>${say('Este link está incompleto ou não foi feito por nós. Abra-o de novo a partir da mensagem, inteiro.', 'This link is incomplete or was not made by us. Open it again from the message, whole.')}</p>`,
      }
    }
  }
}

function why(
  content: Extract<PageContent, { kind: 'why' }>,
  language: PageLanguage,
  look: PageLook,
  say: (pt: string, en: string) => string,
): { title: string; body: string } {
  const { journey } = content
  const title = say('Por que recebi isto?', 'Why did I receive this?')
  const time = (at: string) =>
    new Intl.DateTimeFormat(language === 'pt' ? 'pt-BR' : 'en-GB', {
      dateStyle: 'long',
      timeStyle: 'short',
      timeZone: look.timezone,
    }).format(new Date(at))
  const consent = journey.consent.map(({ at, basis, status, origin, notice }) => {
    const words = BASIS_WORDS[basis]?.[language] ?? basis
    const answer = ANSWER_WORDS[status]?.[language] ?? status
    const told = notice && content.notices.find(({ id, version }) => id === notice.id && version === notice.version)
    const text = notice
      ? say(
          `, com base no aviso “${notice.id}”, versão ${notice.version}`,
          `, resting on the notice “${notice.id}”, version ${notice.version}`,
        )
      : ''
    return `<li>${escapeHtml(words)}: ${escapeHtml(answer)} ${say('em', 'on')} ${escapeHtml(time(at))}${escapeHtml(text)} (${say('origem', 'origin')}: ${escapeHtml(origin.split('/')[0] ?? origin)})${told ? `<details><summary>${say('Ler o texto do aviso', 'Read the text of the notice')}</summary><p class="text">${escapeHtml(told.text)}</p></details>` : ''}</li>`
  })
  const fields = content.categories
    .filter((name) => name !== '*')
    .map((name) => `<li>${escapeHtml(fieldWords(name, language))}</li>`)
  return {
    title,
    body: `<h1>${title}</h1>
<p>${escapeHtml(journey.sentence[language])}</p>
<h2>${say('Para quê', 'What for')}</h2><p>${escapeHtml(content.purpose[language])}</p>
<h2>${say('Com que autorização', 'On what permission')}</h2>${consent.length > 0 ? `<ul>${consent.join('')}</ul>` : `<p>${say('Nenhum registro guardado.', 'No record kept.')}</p>`}
<h2>${say('Com quais dados', 'With which data')}</h2>${fields.length > 0 ? `<ul>${[...new Set(fields)].join('')}</ul>` : `<p>${say('Dados de navegação desta finalidade.', 'Browsing data of this purpose.')}</p>`}
<h2>${say('Não quer mais?', 'Not any more?')}</h2>
<p><a href="/privacidade/parar?t=${encodeURIComponent(content.stopToken)}&amp;lang=${language}">${say('Parar estas mensagens', 'Stop these messages')}</a></p>`,
  }
}

/** The legal bases of LGPD art. 7. */
const BASIS_WORDS: Readonly<Record<string, { readonly pt: string; readonly en: string }>> = {
  consent: { pt: 'Consentimento', en: 'Consent' },
  legal_obligation: { pt: 'Obrigação legal', en: 'Legal obligation' },
  public_policy: { pt: 'Política pública', en: 'Public policy' },
  research: { pt: 'Pesquisa', en: 'Research' },
  contract: { pt: 'Contrato', en: 'Contract' },
  legal_claims: { pt: 'Exercício de direitos em processo', en: 'Legal claims' },
  vital_interest: { pt: 'Proteção da vida', en: 'Protection of life' },
  health: { pt: 'Tutela da saúde', en: 'Health care' },
  legitimate_interest: { pt: 'Legítimo interesse', en: 'Legitimate interest' },
  credit: { pt: 'Proteção do crédito', en: 'Protection of credit' },
} satisfies Record<Basis, unknown>

const ANSWER_WORDS: Readonly<Record<string, { readonly pt: string; readonly en: string }>> = {
  unknown: { pt: 'sem resposta', en: 'not answered' },
  granted: { pt: 'autorizado', en: 'granted' },
  denied: { pt: 'negado', en: 'denied' },
  revoked: { pt: 'retirado', en: 'withdrawn' },
  expired: { pt: 'expirado', en: 'expired' },
  stale: { pt: 'aguarda nova resposta', en: 'waits for a new answer' },
  conflict: { pt: 'respostas em conflito', en: 'conflicting answers' },
  invalid: { pt: 'sem evidência válida', en: 'without valid evidence' },
} satisfies Record<Status, unknown>

const FIELD_WORDS: Record<string, { pt: string; en: string }> = {
  email: { pt: 'e-mail', en: 'e-mail address' },
  phone: { pt: 'telefone', en: 'phone number' },
  name: { pt: 'nome', en: 'name' },
  'Product *': { pt: 'produtos vistos e adicionados', en: 'products viewed and added' },
  'Cart *': { pt: 'carrinho', en: 'cart' },
  'Checkout *': { pt: 'etapas da compra', en: 'checkout steps' },
  'Order *': { pt: 'pedidos', en: 'orders' },
}

const fieldWords = (name: string, language: PageLanguage) => FIELD_WORDS[name]?.[language] ?? name

function stopForm(token: string, language: PageLanguage, scope: string, label: string, quiet = false): string {
  return `<form method="post" action="/privacidade/parar?t=${encodeURIComponent(token)}&amp;lang=${language}"><input type="hidden" name="scope" value="${scope}"><button${quiet ? ' class="quiet"' : ''}>${escapeHtml(label)}</button></form>`
}
