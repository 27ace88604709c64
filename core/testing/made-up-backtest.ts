/** A backtest that the test says how it goes on with, and its report: for tests of what people see of one. */
import type { BacktestReport, BacktestSample } from '../../schemas/backtest.ts'
import type { RunBacktest } from '../backtests/jobs.ts'

const DAY_MS = 86_400_000
const PEOPLE = 1840

export interface MadeUpBacktest {
  readonly run: RunBacktest
  /** Ends the one that waits half-way, or the next one as soon as it gets there. */
  goOn(): void
}

export function madeUpBacktest(): MadeUpBacktest {
  let goOn: () => void = () => {}
  let turn = new Promise<void>((done) => {
    goOn = done
  })
  return {
    goOn: () => goOn(),
    async run(wanted, { from, to, now }, { stop, onRule, onTotal, onPeople }) {
      const version = 'id' in wanted ? Number(wanted.id.split('@')[1] ?? 1) : 4
      if ('id' in wanted) onRule(`${wanted.id.split('@')[0]}@${version}`)
      onTotal(PEOPLE)
      onPeople(PEOPLE / 2)
      await Promise.race([
        turn,
        new Promise((_, fail) => stop.addEventListener('abort', () => fail(new Error('stopped')), { once: true })),
      ])
      turn = new Promise((done) => {
        goOn = done
      })
      onPeople(PEOPLE / 2)
      return madeUpReport({ version, from, to, now })
    },
  }
}

function madeUpReport({ version, from, to, now }: { version: number; from: number; to: number; now: number }) {
  const count = Math.min(60, Math.floor((to - from) / DAY_MS))
  const days = Array.from({ length: count }, (_, back) => {
    const matches = Math.round(46 + 14 * Math.sin(back / 2.2) + 9 * Math.cos(back))
    const heldOut = Math.round(matches * 0.2)
    const blocked = Math.round(matches * 0.24)
    const day = new Date(to - (count - 1 - back) * DAY_MS).toISOString().slice(0, 10)
    return { day, matches, sends: matches - heldOut - blocked, heldOut, blocked }
  })
  const sum = (pick: (day: (typeof days)[number]) => number) => days.reduce((all, day) => all + pick(day), 0)
  const [matches, sends, blocked] = [sum((day) => day.matches), sum((day) => day.sends), sum((day) => day.blocked)]
  const capped = Math.round(blocked * 0.62)
  const [byHour, byConsent] = [Math.round(blocked * 0.2), blocked - capped - Math.round(blocked * 0.2)]
  const share = (part: number) => Math.round((part / Math.max(1, matches)) * 10_000) / 10_000
  const report: BacktestReport = {
    rule: { id: 'carrinho', version, hash: 'made-up', published: false },
    share: { tried: 1, live: null },
    from: new Date(from).toISOString(),
    to: new Date(to).toISOString(),
    historyBegins: new Date(to - 60 * DAY_MS).toISOString(),
    asOf: new Date(now).toISOString(),
    clock: 'ideal',
    people: {
      computed: PEOPLE - 214,
      leftOut: { UNKNOWN: 141, REVOKED: 52, ERASED: 21 },
      matched: Math.round(matches * 0.8),
      sent: Math.round(sends * 0.9),
    },
    events: 48_210,
    results: { ENQUEUED: sends + sum((day) => day.heldOut), CAPPED: capped, NOT_MATCHED: 612, ARMED: matches + 890 },
    days,
    blocked: {
      matches,
      reasons: {
        CAPPED: { count: capped, share: share(capped) },
        CONSENT_DENIED: { count: byConsent, share: share(byConsent) },
        QUIET_HOURS: { count: byHour, share: share(byHour) },
      },
      consentShare: share(byConsent + 38),
    },
    notAsked: { NOT_COLLECTED: 38 },
    sends: {
      total: sends,
      byChannel: { email: sends - 41, whatsapp: 41 },
      byDestination: { crm: sends },
      byVariant: {},
      arms: { treated: sends, control: sum((day) => day.heldOut) },
      waited: 87,
    },
    stopped: [
      {
        id: 'who.all.0',
        clause: 'cart.total is at least 5000',
        pt: 'total do carrinho é pelo menos 50,00',
        count: 612,
      },
      {
        id: 'unless.caps.0',
        clause: 'fewer than 1 within 7 days for this person',
        pt: 'menos de 1 no período de 7 dias para esta pessoa',
        count: capped,
      },
    ],
    overlap: [{ rule: 'novidades', people: 212, sends: 318 }],
    samples: [sampleOf('ENQUEUED', 'treated', to), sampleOf('CAPPED', null, to), sampleOf('NOT_MATCHED', null, to)],
    notes: [
      {
        pt: 'Quem foi eliminado, expirou ou retirou a autorização desde então ficou de fora; os números são de quem pode ser calculado hoje.',
        en: 'Whoever was erased, expired or withdrew since is left out; the figures are of those who may be computed today.',
      },
    ],
  }
  return report
}

function sampleOf(result: string, arm: string | null, to: number): BacktestSample {
  const large = result !== 'NOT_MATCHED'
  const free = result !== 'CAPPED'
  return {
    person: `01K8V3M4ZQ8Q6T1XJ2N5RZ${result.slice(0, 4)}`,
    at: new Date(to - 7_200_000).toISOString(),
    result,
    arm,
    clauses: [
      {
        id: 'when.absence.within',
        clause: 'nothing ended the wait of 45 minutes after "Product Added"',
        pt: 'nada encerrou a espera de 45 minutos depois de "Product Added"',
        ok: true,
        value: true,
      },
      {
        id: 'who.all.0',
        clause: 'cart.total is at least 50.00',
        pt: 'total do carrinho é pelo menos 50,00',
        ok: large,
        value: large ? 12_990 : 3490,
        unit: 'cents',
      },
      {
        id: 'unless.caps.0',
        clause: 'fewer than 1 within 7 days for this person',
        pt: 'menos de 1 no período de 7 dias para esta pessoa',
        ok: free,
        value: free ? 0 : 1,
      },
    ],
    sentence: large
      ? {
          pt: `Esta pessoa deixou um carrinho de R$ 129,90 e não comprou em 45 minutos${free ? ': receberia o lembrete.' : ', mas já tinha recebido uma mensagem na semana.'}`,
          en: `This person left a cart of R$ 129.90 and did not buy within 45 minutes${free ? ': they would get the reminder.' : ', but had been sent one message that week.'}`,
        }
      : {
          pt: 'Esta pessoa deixou um carrinho de R$ 34,90, menos que os R$ 50,00 da regra.',
          en: 'This person left a cart of R$ 34.90, less than the R$ 50.00 of the rule.',
        },
  }
}
