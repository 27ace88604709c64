/**
 * The two letters of an incident, drafted in pt-BR from what the register knows. A draft: what is missing is
 * named in brackets and listed, and the encarregado signs.
 */
import { DateTime } from 'luxon'
import type { Config } from '../../schemas/config.ts'
import type { Document, IncidentFacts } from '../../schemas/records.ts'

export interface LetterFacts {
  readonly id: string
  readonly facts: IncidentFacts
  readonly people: number | null
  readonly smallAgent: boolean
  readonly authorityDue: string
}

export interface DraftedLetters {
  readonly items: readonly Document[]
  /** What the register does not say and a letter needs, in Portuguese. */
  readonly missing: readonly string[]
}

export function draftLetters(incident: LetterFacts, organization: Config['organization'], now: string): DraftedLetters {
  const missing = new Set<string>()
  const { facts } = incident
  const need = (value: string | number | null | undefined, what: string): string => {
    if (value !== undefined && value !== null && String(value).trim() !== '') return String(value)
    missing.add(what)
    return `[preencher: ${what}]`
  }
  const when = (iso: string) =>
    DateTime.fromISO(iso, { zone: 'America/Sao_Paulo' }).setLocale('pt-BR').toFormat("d 'de' MMMM 'de' yyyy, HH:mm")
  const day = DateTime.fromISO(now, { zone: 'America/Sao_Paulo' }).setLocale('pt-BR').toFormat("d 'de' MMMM 'de' yyyy")
  const name = organization.name
  const cnpj = need(organization.cnpj, 'CNPJ do controlador')
  const dpo = need(organization.dpo?.name, 'nome do encarregado')
  const email = need(organization.dpo?.email, 'e-mail do encarregado')
  const categories = need(facts.dataCategories?.join(', '), 'categorias de dados pessoais afetados')
  const people = need(incident.people, 'número de titulares afetados')
  const occurred = facts.occurredAt ? when(facts.occurredAt) : need(undefined, 'data em que o incidente ocorreu')
  const before = need(facts.measuresBefore, 'medidas de segurança que existiam antes')
  const after = need(facts.measuresAfter, 'medidas tomadas para reverter ou mitigar os efeitos')
  const risks = need(facts.risks, 'riscos e possíveis impactos aos titulares')
  const late = Date.parse(now) > Date.parse(incident.authorityDue)

  const authority = `COMUNICAÇÃO DE INCIDENTE DE SEGURANÇA
À Agência Nacional de Proteção de Dados (ANPD)
(LGPD art. 48; Resolução CD/ANPD nº 15/2024, art. 6º)

Minuta de ${day} · registro interno ${incident.id}

1. Controlador
   ${name}, CNPJ ${cnpj}${incident.smallAgent ? ' (agente de tratamento de pequeno porte)' : ''}
   Encarregado: ${dpo}, ${email}

2. Descrição do incidente
   ${facts.title}
   ${facts.description}

3. Datas
   Ocorrência: ${occurred}
   Conhecimento de que dados pessoais foram afetados: ${when(facts.knownAt)}
   Prazo desta comunicação: ${when(incident.authorityDue)}${late ? `\n   Motivo da demora: ${need(undefined, 'motivo da comunicação fora do prazo')}` : ''}

4. Natureza e categoria dos dados pessoais afetados
   ${categories}
   Dados sensíveis (art. 5º, II): ${facts.sensitive === undefined ? need(undefined, 'se há dados sensíveis') : facts.sensitive ? 'sim' : 'não'}
   Crianças e adolescentes: ${facts.minors === undefined ? need(undefined, 'se há dados de crianças ou adolescentes') : facts.minors ? 'sim' : 'não'}

5. Número de titulares afetados
   ${people}

6. Medidas técnicas e de segurança
   Antes do incidente: ${before}
   Depois do incidente: ${after}

7. Riscos e possíveis impactos aos titulares
   ${risks}

8. Comunicação aos titulares
   Será feita no mesmo prazo (art. 9º da Resolução), de forma individual e em linguagem simples.

9. Informações complementares
   Serão prestadas em até 20 dias úteis desta comunicação, de forma fundamentada (art. 6º, § 3º)${incident.smallAgent ? ', em dobro para agente de pequeno porte' : ''}.

${name}
${dpo}, encarregado pelo tratamento de dados pessoais
`

  const subjects = `Assunto: Aviso sobre os seus dados pessoais

Olá,

Escrevemos para contar que houve um incidente de segurança com dados pessoais na ${name}, e que ele pode envolver dados seus.

O que aconteceu
${facts.description}
Soubemos disso em ${when(facts.knownAt)}.${facts.occurredAt ? ` Aconteceu em ${occurred}.` : ''}

Quais dados
${categories}

O que isso pode significar para você
${risks}

O que fizemos
${after}

O que você pode fazer
Desconfie de mensagens e ligações que usem os seus dados. Não informe senhas nem códigos. Se algo estranho acontecer, fale com a gente.

Com quem falar
${dpo}, encarregado pelo tratamento de dados pessoais: ${email}
Você também pode levar a questão à Agência Nacional de Proteção de Dados (gov.br/anpd).

${name}

(LGPD art. 48; Resolução CD/ANPD nº 15/2024, art. 9º)
`
  return {
    items: [
      { name: `incidente-${incident.id}-anpd.txt`, type: 'text/plain; charset=utf-8', text: authority },
      { name: `incidente-${incident.id}-titulares.txt`, type: 'text/plain; charset=utf-8', text: subjects },
    ],
    missing: [...missing],
  }
}
