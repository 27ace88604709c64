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
