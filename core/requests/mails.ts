/** What the hub writes to a person about a request: no data of theirs, only where to read it. */
import { AUTHORITY_TITLE, RIGHT_RULES } from '../../consent/requests/rights.ts'
import type { RequestClock, Right } from '../../schemas/requests.ts'
import type { RequestRow } from './rows.ts'
import type { RequestSettings } from './settings.ts'

interface Look {
  readonly settings: RequestSettings
  readonly row: RequestRow
  readonly clocks: readonly RequestClock[]
}

type Text = { readonly subject: string; readonly text: string }

const titleOf = (row: RequestRow, language: 'pt' | 'en') =>
  (row.right_id === null ? AUTHORITY_TITLE : RIGHT_RULES[row.right_id as Right].title)[language]

function footer({ organization, publicUrl }: RequestSettings, language: 'pt' | 'en'): string {
  const dpo = organization.dpo
  return language === 'pt'
    ? `${dpo ? `Encarregado pelos dados: ${dpo.name}, ${dpo.email}\n` : ''}Portal: ${publicUrl}/privacidade\nVocê também pode reclamar à ANPD (LGPD, art. 18, §1º).`
    : `${dpo ? `Data protection officer: ${dpo.name}, ${dpo.email}\n` : ''}Portal: ${publicUrl}/privacidade?lang=en\nYou may also complain to the ANPD (LGPD art. 18 §1).`
}

export function codeMail(code: string, language: 'pt' | 'en', settings: RequestSettings): Text {
  const { name } = settings.organization
  return language === 'pt'
    ? {
        subject: `${code} é o seu código · ${name}`,
        text: `Seu código para o portal de privacidade de ${name}:\n\n${code}\n\nVale por 15 minutos e uma vez. Se não foi você que pediu, ignore esta mensagem: nada acontece.\n\n${footer(settings, language)}\n`,
      }
    : {
        subject: `${code} is your code · ${name}`,
        text: `Your code for the privacy portal of ${name}:\n\n${code}\n\nIt holds for 15 minutes and once. If you did not ask for it, ignore this message: nothing happens.\n\n${footer(settings, language)}\n`,
      }
}

export function receivedMail({ settings, row, clocks }: Look): Text {
  const language = row.language as 'pt' | 'en'
  const day = (at: number) =>
    new Intl.DateTimeFormat(language === 'pt' ? 'pt-BR' : 'en-GB', {
      dateStyle: 'long',
      timeZone: settings.clocks.timezone,
    }).format(new Date(at))
  const lines = clocks
    .map(({ label, dueAt, law }) => `- ${label[language]}: ${day(dueAt)}${law ? ` (${law})` : ''}`)
    .join('\n')
  return language === 'pt'
    ? {
        subject: `Recebemos o seu pedido ${row.id} · ${settings.organization.name}`,
        text: `Recebemos o seu pedido: ${titleOf(row, language)}.\nChegou em ${day(row.received_at)}. É gratuito (LGPD, art. 18, §5º).\n\nPrazos:\n${lines}\n\nAcompanhe em ${settings.publicUrl}/privacidade\n\n${footer(settings, language)}\n`,
      }
    : {
        subject: `We received your request ${row.id} · ${settings.organization.name}`,
        text: `We received your request: ${titleOf(row, language)}.\nIt arrived on ${day(row.received_at)}. It is free (LGPD art. 18 §5).\n\nDeadlines:\n${lines}\n\nFollow it at ${settings.publicUrl}/privacidade?lang=en\n\n${footer(settings, language)}\n`,
      }
}

/** Somebody claims to be a person: what is missing, and that the clock goes on meanwhile. */
export function identityMail({ settings, row }: Look, missing: string): Text {
  const language = row.language as 'pt' | 'en'
  return language === 'pt'
    ? {
        subject: `Falta confirmar quem você é: pedido ${row.id} · ${settings.organization.name}`,
        text: `Recebemos o pedido: ${titleOf(row, language)}.\nAntes de responder precisamos saber que é mesmo você; assim ninguém pede no seu lugar.\n\nFalta: ${missing}\n\nSe o pedido traz este contato, entre em ${settings.publicUrl}/privacidade com o código que o portal envia a ele e confirme o pedido.\nO prazo da lei continua correndo. Se não foi você que pediu, responda a esta mensagem: nada acontece até lá.\n\n${footer(settings, language)}\n`,
      }
    : {
        subject: `Please confirm who you are: request ${row.id} · ${settings.organization.name}`,
        text: `We received the request: ${titleOf(row, language)}.\nBefore we answer we have to know that it is you, so that nobody asks in your place.\n\nMissing: ${missing}\n\nIf the request names this contact, enter ${settings.publicUrl}/privacidade?lang=en with the code that the portal sends to it and confirm the request.\nThe deadline of the law goes on. If it was not you, answer this message: nothing happens until then.\n\n${footer(settings, language)}\n`,
      }
}

export function closedMail({ settings, row }: Look): Text {
  const language = row.language as 'pt' | 'en'
  const refused = row.state === 'refused'
  return language === 'pt'
    ? {
        subject: `${refused ? 'Resposta' : 'Concluído'}: pedido ${row.id} · ${settings.organization.name}`,
        text: `${refused ? 'Seu pedido não pôde ser atendido; os motivos estão' : row.state === 'withdrawn' ? 'O pedido foi retirado; o registro está' : 'A resposta ao seu pedido está'} em ${settings.publicUrl}/privacidade\n\n${titleOf(row, language)}\n\n${footer(settings, language)}\n`,
      }
    : {
        subject: `${refused ? 'Answer' : 'Done'}: request ${row.id} · ${settings.organization.name}`,
        text: `${refused ? 'Your request could not be met; the reasons are' : row.state === 'withdrawn' ? 'The request was withdrawn; its record is' : 'The answer to your request is'} at ${settings.publicUrl}/privacidade?lang=en\n\n${titleOf(row, language)}\n\n${footer(settings, language)}\n`,
      }
}
