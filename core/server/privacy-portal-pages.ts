/** The pages of the portal: pt-BR first, plain HTML, no script; what a form needs stands in the form. */
import type { ShownNotice } from '../../consent/requests/preference.ts'
import { GROUND_RULES, isAssured, RIGHT_RULES } from '../../consent/requests/rights.ts'
import type { Basis, Scope, Status } from '../../schemas/consent.ts'
import { type RequestDetail, type RequestState, RIGHTS, type Right } from '../../schemas/requests.ts'
import { escapeHtml } from '../requests/package-html.ts'
import type { RequestSettings } from '../requests/settings.ts'
import { basisArticle, refusalWords } from '../requests/statement.ts'
import { type PageLanguage, type PageLook, shell } from './privacy-page.ts'

export interface PortalLook {
  readonly language: PageLanguage
  readonly look: PageLook
  readonly mails: boolean
  readonly ways: readonly ('sms' | 'whatsapp')[]
  readonly settings: RequestSettings
}

type Say = (pt: string, en: string) => string
const sayIn =
  (language: PageLanguage): Say =>
  (pt, en) =>
    language === 'pt' ? pt : en

const hidden = (fields: Readonly<Record<string, string>>) =>
  Object.entries(fields)
    .map(([name, value]) => `<input type="hidden" name="${name}" value="${escapeHtml(value)}">`)
    .join('')

const form = (
  action: string,
  language: PageLanguage,
  fields: Readonly<Record<string, string>>,
  inside: string,
  wide = true,
) =>
  `<form method="post" action="${action}?lang=${language}"${wide ? ' class="wide"' : ''}>${hidden(fields)}${inside}</form>`

const time = (at: number | string, { language, look }: PortalLook, day = false) =>
  new Intl.DateTimeFormat(language === 'pt' ? 'pt-BR' : 'en-GB', {
    dateStyle: 'long',
    ...(!day && { timeStyle: 'short' }),
    timeZone: look.timezone,
  }).format(new Date(at))

function frame(title: string, body: string, portal: PortalLook, path?: string, csrf?: string): string {
  const { language } = portal
  const say = sayIn(language)
  return shell({
    title,
    body,
    language,
    look: portal.look,
    ...(path !== undefined && {
      otherLanguage: `${path}${path.includes('?') ? '&' : '?'}lang=${language === 'pt' ? 'en' : 'pt'}`,
    }),
    ...(csrf !== undefined && {
      corner: form(
        '/privacidade/sair',
        language,
        { csrf },
        `<button class="quiet">${say('Sair', 'Leave')}</button>`,
        false,
      ),
    }),
  })
}

// ---------------------------------------------------------------- coming in

export function homePage({ csrf, error }: { csrf: string; error?: 'email' | 'phone' }, portal: PortalLook): string {
  const { language, mails, ways } = portal
  const say = sayIn(language)
  const title = say('Privacidade: seus dados e suas escolhas', 'Privacy: your data and your choices')
  const names: Record<'sms' | 'whatsapp', string> = { sms: 'SMS', whatsapp: 'WhatsApp' }
  const channels = [...(mails ? (['email'] as const) : []), ...ways]
  const missing = (['sms', 'whatsapp'] as const).filter((way) => !ways.includes(way)).map((way) => names[way])
  const can =
    channels.length === 0
      ? `<p class="bad">${say('No momento este portal não consegue enviar códigos. Escreva ao encarregado, no fim da página: o prazo conta do mesmo jeito.', 'This portal cannot send codes at the moment. Write to the data protection officer, at the end of the page: the deadline counts all the same.')}</p>`
      : form(
          '/privacidade/codigo',
          language,
          { csrf },
          `${
            channels.length > 1
              ? `<fieldset><legend>${say('Como quer receber o código?', 'How do you want to get the code?')}</legend>${channels
                  .map(
                    (channel, index) =>
                      `<label class="line"><input type="radio" name="channel" value="${channel}"${index === 0 ? ' checked' : ''}> ${channel === 'email' ? 'E-mail' : names[channel]}</label>`,
                  )
                  .join('')}</fieldset>`
              : hidden({ channel: channels[0]! })
          }<label for="contact">${ways.length > 0 ? say('Seu e-mail ou telefone', 'Your e-mail or phone') : say('Seu e-mail', 'Your e-mail')}</label>
<input id="contact" name="contact" type="${ways.length > 0 ? 'text' : 'email'}" autocomplete="${ways.length > 0 ? 'on' : 'email'}" required maxlength="254"${error ? ' aria-invalid="true" aria-describedby="contact-error"' : ''}>
${error ? `<p id="contact-error" class="bad">${error === 'email' ? say('Isto não parece um e-mail.', 'This does not look like an e-mail.') : say('Isto não parece um telefone.', 'This does not look like a phone number.')}</p>` : ''}
<p><button>${say('Enviar código', 'Send the code')}</button></p>`,
        )
  return frame(
    title,
    `<article><h1>${title}</h1>
<p>${say('Aqui você vê e muda para que usamos os seus dados, e exerce os seus direitos da LGPD (art. 18). É de graça e não precisa de cadastro.', 'Here you see and change what we use your data for, and exercise your rights under the LGPD (art. 18). It is free and needs no account.')}</p>
<p>${say('Para saber que é você, enviamos um código ao seu contato.', 'To know that it is you, we send a code to your contact.')}</p>
${can}
${missing.length > 0 ? `<p class="soft">${say(`Código por ${missing.join(' ou ')} não está disponível aqui.`, `A code by ${missing.join(' or ')} is not available here.`)}</p>` : ''}
<h2>${say('Sem acesso ao contato, ou pedindo por outra pessoa?', 'No access to the contact, or asking for somebody else?')}</h2>
<p>${say('Escreva ao encarregado. Outras formas de comprovar a identidade e representantes (art. 18, §3º) também valem.', 'Write to the data protection officer. Other proofs of identity and representatives (art. 18 §3) count too.')}</p></article>
<article><h2>${say('Se você não consentir', 'If you do not consent')} <span class="soft">(art. 18 VIII)</span></h2><ul>${portal.settings.purposes.all
      .map(
        ({ title: purpose, basis }) =>
          `<li><strong>${escapeHtml(purpose[language])}</strong>: ${escapeHtml(refusalWords(basis)[language])}</li>`,
      )
      .join('')}</ul></article>`,
    portal,
    '/privacidade',
  )
}

export function codePage(
  { csrf, ref, channel, wrong }: { csrf: string; ref: string; channel: string; wrong?: boolean },
  portal: PortalLook,
): string {
  const { language } = portal
  const say = sayIn(language)
  const title = say('Digite o código', 'Type the code')
  return frame(
    title,
    `<article><h1>${title}</h1>
<p role="status">${say('Se o contato estiver certo, um código de seis números chega em instantes. Vale por 15 minutos.', 'If the contact is right, a code of six digits arrives in a moment. It holds for 15 minutes.')}</p>
${form(
  '/privacidade/entrar',
  language,
  { csrf, ref, channel },
  `<label for="code">${say('Código', 'Code')}</label><input id="code" name="code" type="text" inputmode="numeric" autocomplete="one-time-code" required maxlength="12"${wrong ? ' aria-invalid="true" aria-describedby="code-error"' : ''}>
${wrong ? `<p id="code-error" class="bad">${say('O código não confere ou não vale mais.', 'The code is not right or no longer holds.')}</p>` : ''}
<p><button>${say('Entrar', 'Go on')}</button></p>`,
)}
<p><a href="/privacidade?lang=${language}">${say('Pedir outro código', 'Ask for another code')}</a></p></article>`,
    portal,
  )
}

// ---------------------------------------------------------------- preferences and requests

export interface ShownPurpose {
  readonly id: string
  readonly title: { readonly pt: string; readonly en: string }
  readonly description: { readonly pt: string; readonly en: string } | null
  readonly basis: Basis
  readonly scope: Scope
  readonly status: Status
  readonly since: string | null
  readonly switchable: boolean
  readonly notice: ShownNotice | null
  readonly tools: readonly {
    readonly name: string
    readonly how: string
    readonly askedAt: number
    readonly confirmedAt: number | null
  }[]
}

export function panelPage(
  content: {
    readonly csrf: string
    readonly contact: string
    readonly purposes: readonly ShownPurpose[]
    readonly requests: readonly {
      readonly id: string
      readonly right: Right | null
      readonly state: string
      readonly receivedAt: number
    }[]
    readonly done?: string
  },
  portal: PortalLook,
): string {
  const { language } = portal
  const say = sayIn(language)
  const title = say('Suas escolhas', 'Your choices')
  const changed = content.purposes.find(({ id }) => id === content.done)
  return frame(
    title,
    `<article><h1>${title}</h1><p>${say('Você entrou como', 'You are in as')} <strong>${escapeHtml(content.contact)}</strong>.</p>
${changed ? `<p role="status" class="mark">${say('Gravado. A sua decisão já vale:', 'Saved. Your decision already holds:')} ${escapeHtml(changed.title[language])}</p>` : ''}</article>
${content.purposes.map((purpose) => purposeCard(purpose, content.csrf, portal)).join('\n')}
<article><h1>${say('Seus pedidos', 'Your requests')}</h1>
${
  content.requests.length === 0
    ? `<p>${say('Nenhum pedido ainda.', 'No request yet.')}</p>`
    : `<ul>${content.requests
        .map(
          ({ id, right, state, receivedAt }) =>
            `<li><a href="/privacidade/pedidos/${id}?lang=${language}">${escapeHtml(right ? RIGHT_RULES[right].title[language] : id)}</a>: ${escapeHtml(stateWords(state as RequestState, say))}, ${time(receivedAt, portal, true)}</li>`,
        )
        .join('')}</ul>`
}
<h2>${say('Exercer um direito', 'Exercise a right')}</h2><ul>${RIGHTS.map(
      (right) =>
        `<li><a href="/privacidade/pedir?direito=${right}&amp;lang=${language}">${escapeHtml(RIGHT_RULES[right].title[language])}</a> <span class="soft">(${RIGHT_RULES[right].article})</span></li>`,
    ).join('')}</ul></article>`,
    portal,
    '/privacidade/painel',
    content.csrf,
  )
}

function purposeCard(purpose: ShownPurpose, csrf: string, portal: PortalLook): string {
  const { language } = portal
  const say = sayIn(language)
  const on = purpose.status === 'granted' || (purpose.basis === 'legitimate_interest' && purpose.status === 'unknown')
  const since = purpose.since ? `, ${time(purpose.since, portal)}` : ''
  const state = purpose.switchable
    ? `${on ? say('Ligado', 'On') : purpose.status === 'stale' ? say('Aguarda nova resposta: o aviso mudou', 'Waits for a new answer: the notice changed') : purpose.status === 'unknown' ? say('Desligado: você ainda não respondeu', 'Off: you have not answered yet') : say('Desligado', 'Off')}${since}`
    : say('Não depende de consentimento', 'Does not rest on consent')
  const button = (value: '1' | '0', label: string, quiet: boolean) =>
    form(
      '/privacidade/preferencias',
      language,
      { csrf, purpose: purpose.id, on: value },
      `<button${quiet ? ' class="quiet"' : ''} aria-label="${escapeHtml(`${label}: ${purpose.title[language]}`)}">${label}</button>`,
      false,
    )
  const onlyBrowser = purpose.scope === 'device'
  const act = !purpose.switchable
    ? `<p class="soft">${escapeHtml(refusalWords(purpose.basis)[language])}</p>`
    : on
      ? button('0', purpose.basis === 'consent' ? say('Desligar', 'Turn off') : say('Opor-me', 'Object'), true)
      : onlyBrowser
        ? `<p class="soft">${say('Para ligar, responda ao aviso de cookies no navegador que você usa: a escolha é de cada aparelho.', 'To turn it on, answer the cookie notice in the browser you use: the choice belongs to each device.')}</p>`
        : purpose.notice
          ? button('1', say('Ligar', 'Turn on'), false)
          : `<p class="soft">${say('Ainda não há um aviso publicado para esta finalidade, por isso não dá para ligar aqui.', 'No notice is published for this purpose yet, so it cannot be turned on here.')}</p>`
  const off =
    purpose.switchable && !on && purpose.status === 'unknown' && !onlyBrowser
      ? button('0', say('Recusar', 'Refuse'), true)
      : ''
  const tools =
    purpose.tools.length === 0
      ? ''
      : `<h2>${say('Quem já foi avisado', 'Who was told')}</h2><ul>${purpose.tools
          .map(
            ({ name, how, askedAt, confirmedAt }) =>
              `<li>${escapeHtml(name)}: ${
                confirmedAt !== null
                  ? say(`confirmado em ${time(confirmedAt, portal)}`, `confirmed ${time(confirmedAt, portal)}`)
                  : how === 'stop'
                    ? say('nada mais é enviado', 'nothing more is sent')
                    : say(`avisado em ${time(askedAt, portal)}, aguardando`, `told ${time(askedAt, portal)}, waiting`)
              }</li>`,
          )
          .join('')}</ul>`
  return `<article><h2>${escapeHtml(purpose.title[language])}</h2>
${purpose.description ? `<p>${escapeHtml(purpose.description[language])}</p>` : ''}
<p><strong>${escapeHtml(state)}</strong> <span class="soft">(${say('base legal', 'legal basis')}: LGPD ${basisArticle(purpose.basis)})</span></p>
${purpose.notice ? `<details><summary>${say('Ler o aviso', 'Read the notice')} ${escapeHtml(purpose.notice.id)} v${purpose.notice.version}</summary><p class="text">${escapeHtml(purpose.notice.text)}</p></details>` : ''}
${act}${off}${tools}</article>`
}

const NAMED_PURPOSES: ReadonlySet<Right> = new Set(['revocation', 'opposition', 'restriction', 'erasure'])

export function askPage(
  { csrf, right, reference, invalid }: { csrf: string; right: Right; reference: string; invalid?: boolean },
  portal: PortalLook,
): string {
  const { language, settings } = portal
  const say = sayIn(language)
  const rules = RIGHT_RULES[right]
  const listed = settings.purposes.all.filter(({ basis }) =>
    right === 'revocation' ? basis === 'consent' : right === 'opposition' ? basis === 'legitimate_interest' : true,
  )
  const purposes = NAMED_PURPOSES.has(right)
    ? `<fieldset><legend>${say('Só para estas finalidades (nenhuma marcada: todas)', 'Only these purposes (none marked: all)')}</legend>${listed
        .map(
          ({ id, title }) =>
            `<label class="line"><input type="checkbox" name="purpose" value="${escapeHtml(id)}"> ${escapeHtml(title[language])}</label>`,
        )
        .join('')}</fieldset>`
    : ''
  const correction =
    right === 'correction'
      ? `<label for="field">${say('O que está errado?', 'What is wrong?')}</label><select id="field" name="field">
<option value="name">${say('Nome', 'Name')}</option><option value="email">E-mail</option><option value="phone">${say('Telefone', 'Phone')}</option><option value="address.city">${say('Cidade', 'City')}</option></select>
<label for="value">${say('O valor certo', 'The right value')}</label><input id="value" name="value" type="text" maxlength="500" required>`
      : ''
  return frame(
    rules.title[language],
    `<article><h1>${escapeHtml(rules.title[language])}</h1><p class="soft">LGPD, ${rules.article}</p><p>${escapeHtml(rules.means[language])}</p>
${invalid ? `<p role="alert" class="bad">${say('Falta alguma coisa ou um valor não serve. Confira e envie de novo.', 'Something is missing or a value does not fit. Check it and send again.')}</p>` : ''}
${form(
  '/privacidade/pedidos',
  language,
  { csrf, right, reference },
  `${correction}${purposes}<label for="text">${say('Quer acrescentar algo? (opcional)', 'Anything to add? (optional)')}</label><textarea id="text" name="text" rows="4" maxlength="4000"></textarea>
<p><button>${say('Enviar o pedido', 'Send the request')}</button></p>`,
)}
<p><a href="/privacidade/painel?lang=${language}">${say('Voltar', 'Back')}</a></p></article>`,
    portal,
    `/privacidade/pedir?direito=${right}`,
    csrf,
  )
}

function stateWords(state: RequestState, say: Say): string {
  switch (state) {
    case 'received':
      return say('recebido', 'received')
    case 'identity':
      return say('aguarda comprovação da identidade', 'waits for proof of identity')
    case 'acknowledged':
      return say('recebimento confirmado', 'acknowledged')
    case 'collecting':
      return say('reunindo os dados', 'collecting the data')
    case 'approval':
      return say('em análise do encarregado', 'with the data protection officer')
    case 'executing':
      return say('em execução', 'being carried out')
    case 'partially_done':
      return say('feito aqui, aguardando quem recebeu os dados', 'done here, waiting for recipients')
    case 'answered':
      return say('respondido', 'answered')
    case 'refused':
      return say('não atendido, com motivo', 'not met, with reasons')
    default:
      return say('retirado por você', 'withdrawn by you')
  }
}

/** The code of the portal is proof enough for its right, and was still missing. */
const waitsForCode = ({ right, assurance }: RequestDetail['request']): boolean =>
  right !== null && !isAssured(right, assurance) && isAssured(right, 'contact_code')

const RECIPIENT_WORDS: Readonly<Record<string, readonly [string, string]>> = {
  pending: ['aguardando', 'waiting'],
  retry: ['tentando de novo', 'trying again'],
  done: ['feito', 'done'],
  manual: ['em andamento, à mão', 'in progress, by hand'],
  impossible: ['não é possível', 'not possible'],
  failed: ['em andamento, à mão', 'in progress, by hand'],
}

export function requestPage({ csrf, detail }: { csrf: string; detail: RequestDetail }, portal: PortalLook): string {
  const { language } = portal
  const say = sayIn(language)
  const { request, recipients, files, answer, pauses } = detail
  const closed = request.closedAt !== null
  const outcome =
    request.outcome === 'nothing_held'
      ? say('Não temos dados pessoais seus.', 'We hold no personal data of yours.')
      : request.outcome === 'partly_kept'
        ? say(
            'Feito. Uma parte fica guardada porque a lei manda; a resposta diz o quê e por quê.',
            'Done. A part is kept because the law says so; the answer says what and why.',
          )
        : request.outcome === 'done'
          ? say('Feito.', 'Done.')
          : ''
  return frame(
    request.title[language],
    `<article><h1>${escapeHtml(request.title[language])}</h1><p class="soft">${say('Pedido', 'Request')} ${request.id} · LGPD ${escapeHtml(request.article)}</p>
<p><strong>${escapeHtml(stateWords(request.state, say))}</strong>${request.closedAt === null ? '' : `, ${time(request.closedAt, portal)}`}</p>
${outcome ? `<p>${outcome}</p>` : ''}
${request.ground ? `<p><strong>${escapeHtml(GROUND_RULES[request.ground].title[language])}</strong> (${GROUND_RULES[request.ground].article})</p>` : ''}
${answer ? `<p class="text">${escapeHtml(answer)}</p>` : ''}
<h2>${say('Prazos', 'Deadlines')}</h2><ul>${request.clocks
      .map(
        (clock) =>
          `<li>${escapeHtml(clock.label[language])}${clock.law ? ` (${escapeHtml(clock.law)})` : ''}: ${time(clock.dueAt, portal, true)}${clock.doneAt === null ? (clock.overdue ? `, <span class="bad">${say('atrasado', 'late')}</span>` : '') : `, ${say('cumprido em', 'met on')} ${time(clock.doneAt, portal)}`}</li>`,
      )
      .join('')}</ul>
${pauses.length > 0 ? `<h2>${say('Esperas', 'Waits')}</h2><ul>${pauses.map(({ from, to, reason }) => `<li>${time(from, portal)} – ${to === null ? say('agora', 'now') : time(to, portal)}: ${escapeHtml(reason)}</li>`).join('')}</ul>` : ''}
${
  files.length > 0
    ? `<h2>${say('Baixar a resposta', 'Download the answer')}</h2><ul>${files
        .map(
          (file) =>
            `<li><a href="/privacidade/pedidos/${request.id}/${file.id}">${escapeHtml(file.name)}</a> <span class="soft">(${Math.max(1, Math.round(file.bytes / 1024))} KB)</span></li>`,
        )
        .join('')}</ul>`
    : ''
}
${
  recipients.length > 0
    ? `<h2>${say('Quem recebeu os seus dados', 'Who received your data')}</h2><ul>${recipients
        .map(
          (recipient) =>
            `<li>${escapeHtml(recipient.recipient)}: ${say(...(RECIPIENT_WORDS[recipient.status] ?? ['', '']))}${recipient.doneAt === null ? '' : `, ${time(recipient.doneAt, portal)}`}</li>`,
        )
        .join('')}</ul>`
    : ''
}
${
  closed || !detail.may.includes('identify') || !waitsForCode(request)
    ? ''
    : form(
        `/privacidade/pedidos/${request.id}/confirmar`,
        language,
        { csrf },
        `<p>${say('Este pedido chegou por outro caminho e aguarda a comprovação da identidade. Você entrou com um código enviado ao contato dele.', 'This request came another way and waits for proof of identity. You came in with a code sent to its contact.')}</p><button>${say('Confirmar: o pedido é meu', 'Confirm: the request is mine')}</button>`,
      )
}
${closed || !detail.may.includes('withdraw') ? '' : form(`/privacidade/pedidos/${request.id}/retirar`, language, { csrf }, `<button class="quiet">${say('Retirar o pedido', 'Withdraw the request')}</button>`)}
<p><a href="/privacidade/painel?lang=${language}">${say('Voltar', 'Back')}</a></p></article>`,
    portal,
    `/privacidade/pedidos/${request.id}`,
    csrf,
  )
}

export function messagePage(kind: 'form' | 'wait' | 'later' | 'gone' | 'notice' | 'other', portal: PortalLook): string {
  const say = sayIn(portal.language)
  const words: Record<typeof kind, readonly [string, string]> = {
    form: [
      say('Este formulário não vale mais', 'This form no longer holds'),
      say('Abra o portal de novo e repita.', 'Open the portal again and repeat.'),
    ],
    wait: [
      say('Muitas tentativas', 'Too many tries'),
      say('Espere quinze minutos e tente de novo.', 'Wait fifteen minutes and try again.'),
    ],
    later: [
      say('Não deu certo agora', 'It did not work now'),
      say(
        'Tente de novo em instantes. Se continuar, escreva ao encarregado.',
        'Try again in a moment. If it goes on, write to the data protection officer.',
      ),
    ],
    gone: [
      say('Não encontrado', 'Not found'),
      say('Não há nada seu neste endereço.', 'There is nothing of yours at this address.'),
    ],
    other: [
      say('Não dá para ligar por aqui', 'It cannot be turned on here'),
      say(
        'Esta finalidade foi recusada, e conhecemos mais de um endereço deste cadastro. Para que ninguém decida por outra pessoa, diga sim na loja, com a sua conta, ou escreva ao encarregado.',
        'This purpose was refused, and we know more than one address of this profile. So that nobody decides for somebody else, say yes at the shop, with your account, or write to the data protection officer.',
      ),
    ],
    notice: [
      say('Ainda não dá para ligar', 'It cannot be turned on yet'),
      say('Falta publicar o aviso desta finalidade.', 'The notice of this purpose is not published yet.'),
    ],
  }
  const [title, text] = words[kind]
  return frame(
    title,
    `<article><h1>${title}</h1><p>${text}</p><p><a href="/privacidade?lang=${portal.language}">${say('Ir para o portal', 'Go to the portal')}</a></p></article>`,
    portal,
  )
}
