/** One rule: how it stands, its versions and what changed in them, its shadow, its schedule, who did what and why. */
import { Button, Drawer, NativeSelect } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { useQuery } from '@tanstack/react-query'
import { useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { RuleCounts, RuleDetail, RuleVersionView, ShadowComparison } from '../../../schemas/rules.ts'
import { useAddress, useChangeAddress } from '../address.ts'
import { get } from '../api.ts'
import { dateTime, number } from '../format.ts'
import { changedParts, lineDiff } from '../line-diff.ts'
import { useMay } from '../session.ts'
import { BacktestPanel } from './backtest-panel.tsx'
import { useExits } from './exit-badge.tsx'
import { PublishActs, type PublishAsk, SwitchActs } from './rule-acts.tsx'
import { useClauseWords } from './rule-clause.ts'
import { NewRuleDialog, nextText } from './rule-new.tsx'
import { RuleStanding, ruleName, StageBadge, useStageWords } from './rule-stage.tsx'
import { RuleWay, type WayStep } from './rule-way.tsx'
import { Section } from './section.tsx'
import { Failure, Loading } from './states.tsx'

export function RuleDrawer() {
  const { t } = useTranslation()
  const { item } = useAddress()
  const change = useChangeAddress()
  const detail = useQuery({
    queryKey: ['rules', 'one', item],
    queryFn: () => get<RuleDetail>(`/api/rules/${encodeURIComponent(item!)}`),
    enabled: item !== undefined,
    refetchInterval: 15_000,
  })
  return (
    <Drawer
      opened={item !== undefined}
      onClose={() => change({ item: undefined })}
      position="right"
      size="xl"
      title={<strong>{detail.data ? ruleName(detail.data.rule) : item}</strong>}
      closeButtonProps={{ 'aria-label': t('app.close') }}
    >
      {detail.error ? (
        <Failure error={detail.error} retry={() => void detail.refetch()} />
      ) : detail.data ? (
        <Parts key={detail.data.rule.id} detail={detail.data} />
      ) : (
        <Loading lines={8} />
      )}
    </Drawer>
  )
}

function Parts({ detail }: { detail: RuleDetail }) {
  const { t } = useTranslation()
  const may = useMay()
  const [adding, addModal] = useDisclosure()
  const [asked, ask] = useState<PublishAsk>()
  const tried = useRef<HTMLElement>(null)
  const { rule, versions, comparison } = detail
  const newest = versions[0]
  const go = (step: WayStep) => {
    if (step === 'edit') addModal.open()
    else if (step === 'backtest') {
      tried.current?.scrollIntoView({ block: 'start' })
      tried.current?.querySelector('select')?.focus({ preventScroll: true })
    } else ask({ act: 'publish', to: PUBLISHED[step] })
  }
  return (
    <div>
      <div className="spaced">
        <RuleStanding rule={rule} />
        {rule.switch.at !== null && (
          <p className="quiet" style={{ margin: 0 }}>
            {t('rules.all.since', {
              actor: rule.switch.actor,
              time: dateTime(rule.switch.at),
              reason: rule.switch.reason,
            })}
          </p>
        )}
        {may('rules.write') && (
          <div className="acts" style={{ justifyContent: 'start' }}>
            <PublishActs detail={detail} asked={asked} ask={ask} />
            <SwitchActs id={rule.id} name={ruleName(rule)} state={rule.switch.state} />
            {newest && (
              <Button size="xs" variant="default" onClick={addModal.open}>
                {t('rules.new.openFor')}
              </Button>
            )}
          </div>
        )}
      </div>
      {may('rules.write') && (
        <Section title={t('rules.way.title', { version: rule.version })}>
          <RuleWay detail={detail} go={go} />
        </Section>
      )}
      <section className="section" ref={tried}>
        <h3>{t('rules.backtest.title')}</h3>
        <Past detail={detail} />
      </section>
      {comparison && <Comparison comparison={comparison} />}
      <Section title={t('rules.facts')}>
        <Facts detail={detail} />
      </Section>
      <Section title={t('rules.clauses')}>
        <Reasons counts={rule.counts} />
      </Section>
      {rule.schedule && <Schedule detail={detail} />}
      <Section title={t('rules.versions')}>
        <ol className="journey">
          {versions.map((version, index) => (
            <Version key={version.version} version={version} before={versions[index + 1]} />
          ))}
        </ol>
      </Section>
      <Log detail={detail} />
      {adding && newest && <NewRuleDialog text={nextText(newest.text, newest.version)} onClose={addModal.close} />}
    </div>
  )
}

const PUBLISHED = { test: 'test', shadow: 'shadow', one: '0.01', ten: '0.1', all: '1' } as const

/** Any version may be tried on the past; the newest is the one that is on its way. */
function Past({ detail: { rule, versions } }: { detail: RuleDetail }) {
  const { t } = useTranslation()
  const words = useStageWords()
  const [version, setVersion] = useState(rule.version)
  const chosen = versions.find((one) => one.version === version)
  const isPart = chosen?.stage === 'test' || (chosen?.stage === 'live' && chosen.share < 1)
  const standing = chosen && isPart ? words(chosen.stage, chosen.share) : undefined
  return (
    <>
      {versions.length > 1 && (
        <NativeSelect
          size="xs"
          mb="sm"
          maw="18rem"
          label={t('rules.ask.version')}
          value={String(version)}
          data={versions.map((one) => ({
            value: String(one.version),
            label: t('rules.ask.versionOf', { version: one.version, stage: words(one.stage, one.share) }),
          }))}
          onChange={(event) => setVersion(Number(event.currentTarget.value))}
        />
      )}
      <BacktestPanel key={version} wanted={{ rule: `${rule.id}@${version}` }} standing={standing} />
    </>
  )
}

function Facts({ detail: { rule } }: { detail: RuleDetail }) {
  const { t } = useTranslation()
  const facts: readonly [string, string | null][] = [
    [t('rules.rule'), rule.id],
    [t('rules.purpose'), rule.purpose],
    [t('rules.group'), rule.group],
    [t('rules.priority'), rule.priority === 0 ? null : number(rule.priority)],
    [t('rules.fired'), number(rule.counts.fired)],
    [t('rules.sent'), number(rule.counts.sent)],
    [t('rules.heldOut'), number(rule.counts.heldOut)],
    ...rule.budget.map(({ used, max, kind, period }): [string, string] => [
      t('rules.budget'),
      t('rules.budgetOf', {
        used: number(kind === 'money' ? used / 100 : used),
        max: number(kind === 'money' ? max / 100 : max),
        kind: t(`rules.kind.${kind}`),
        period: t(`rules.period.${period}`),
      }),
    ]),
  ]
  return (
    <dl className="facts">
      {facts
        .filter(([, value]) => value !== null)
        .map(([name, value]) => (
          <div key={`${name}${value}`} style={{ display: 'contents' }}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  )
}

function Reasons({ counts }: { counts: RuleCounts }) {
  const { t } = useTranslation()
  const { text } = useExits()
  const clauseWords = useClauseWords()
  if (counts.blocked.length + counts.clauses.length === 0) return <p className="quiet">{t('rules.noClauses')}</p>
  return (
    <table className="rows">
      <tbody>
        {counts.blocked.map(({ code, count }) => (
          <tr key={code}>
            <td>
              {text(code)} <span className="mono quiet">{code}</span>
            </td>
            <td className="right">{number(count)}</td>
          </tr>
        ))}
        {counts.clauses.map(({ clause, count }) => (
          <tr key={clause}>
            <td>
              {clauseWords(clause)} <span className="mono quiet">{clause}</span>
            </td>
            <td className="right">{number(count)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

const COMPARED = ['fired', 'matched', 'decided', 'heldOut'] as const

function Comparison({ comparison }: { comparison: ShadowComparison }) {
  const { t } = useTranslation()
  const { shadow, live, version, liveVersion, overlap, examined } = comparison
  const { text } = useExits()
  const exits = [...new Set([...shadow.blocked, ...(live?.blocked ?? [])].map(({ code }) => code))]
  const of = (counts: RuleCounts | null, code: string) =>
    counts === null ? t('app.none') : number(counts.blocked.find((one) => one.code === code)?.count ?? 0)
  return (
    <Section title={t('rules.shadow')}>
      <p style={{ marginTop: 0 }}>{t('rules.shadowText', { version })}</p>
      <table className="rows">
        <thead>
          <tr>
            <td />
            <th scope="col" className="right">
              {t('rules.shadowV', { version })}
            </th>
            {liveVersion !== null && (
              <th scope="col" className="right">
                {t('rules.liveV', { version: liveVersion })}
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {COMPARED.map((name) => (
            <tr key={name}>
              <td>{t(`rules.${name}`)}</td>
              <td className="right">{number(shadow[name])}</td>
              {liveVersion !== null && <td className="right">{live ? number(live[name]) : t('app.none')}</td>}
            </tr>
          ))}
          {exits.map((code) => (
            <tr key={code}>
              <td>{text(code)}</td>
              <td className="right">{of(shadow, code)}</td>
              {liveVersion !== null && <td className="right">{of(live, code)}</td>}
            </tr>
          ))}
        </tbody>
      </table>
      {liveVersion === null && <p className="quiet">{t('rules.shadowNone')}</p>}
      <p>
        {overlap.length === 0
          ? t('rules.noOverlap', { n: number(examined) })
          : t('rules.overlap', {
              rules: overlap.map((one) => t('rules.overlapOne', { ...one, people: number(one.people) })).join(', '),
            })}
      </p>
    </Section>
  )
}

function Schedule({ detail: { rule, slots } }: { detail: RuleDetail }) {
  const { t } = useTranslation()
  const next = rule.schedule?.next ?? null
  return (
    <Section title={t('rules.schedule')}>
      <p style={{ marginTop: 0 }}>
        {rule.schedule?.text}
        <br />
        <strong>{next === null ? t('rules.noNext') : t('rules.nextAt', { time: dateTime(next) })}</strong>
      </p>
      {slots.length > 0 && (
        <div className="scroll">
          <table className="rows">
            <thead>
              <tr>
                <th scope="col">{t('rules.slot')}</th>
                <th scope="col">{t('deliveries.status')}</th>
                <th scope="col" className="right">
                  {t('rules.people')}
                </th>
                <th scope="col" className="right">
                  {t('rules.decided')}
                </th>
              </tr>
            </thead>
            <tbody>
              {slots.map((slot) => (
                <tr key={`${slot.version}:${slot.slot}`}>
                  <td className="nowrap">{dateTime(slot.slot)}</td>
                  <td>
                    {t(`rules.slotState.${slot.state}`)} {slot.reason && <span className="quiet">{slot.reason}</span>}
                  </td>
                  <td className="right">{number(slot.people)}</td>
                  <td className="right">{number(slot.decided)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Section>
  )
}

function Version({ version, before }: { version: RuleVersionView; before: RuleVersionView | undefined }) {
  const { t } = useTranslation()
  const { counts } = version
  return (
    <li>
      <StageBadge version={version.version} stage={version.stage} share={version.share} />{' '}
      <span className="quiet">{t('rules.versionBy', { actor: version.actor, time: dateTime(version.since) })}</span>
      {version.reason && <div>{version.reason}</div>}
      {counts.fired + counts.sent + counts.heldOut > 0 && (
        <div className="quiet">
          {t('rules.counts', {
            fired: number(counts.fired),
            decided: number(counts.decided),
            sent: number(counts.sent),
            heldOut: number(counts.heldOut),
          })}
        </div>
      )}
      {before && (
        <details>
          <summary>{t('rules.diff', { version: before.version })}</summary>
          <Diff before={before.text} after={version.text} />
        </details>
      )}
      <details>
        <summary>{t('rules.whole')}</summary>
        <pre className="raw">{version.text}</pre>
      </details>
    </li>
  )
}

/** Signs and words beside the colours, for those who cannot tell them apart or hear the page. */
function Diff({ before, after }: { before: string; after: string }) {
  const { t } = useTranslation()
  const lines = lineDiff(before, after)
  if (lines.every(({ kind }) => kind === 'same')) return <p className="quiet">{t('rules.same')}</p>
  return (
    <pre className="raw diff">
      {changedParts(lines).map((line, index) => {
        // The lines never move: their place is who they are.
        const key = `${index}`
        if (line === undefined)
          return (
            <span key={key} className="quiet">
              …
            </span>
          )
        if (line.kind === 'same') return <span key={key}>{`  ${line.text}`}</span>
        const Tag = line.kind === 'taken' ? 'del' : 'ins'
        return (
          <Tag key={key}>
            <span className="visually-hidden">{t(`rules.${line.kind}`)}: </span>
            {`${line.kind === 'taken' ? '−' : '+'} ${line.text}`}
          </Tag>
        )
      })}
    </pre>
  )
}

function Log({ detail: { log } }: { detail: RuleDetail }) {
  const { t, i18n } = useTranslation()
  const act = (name: string) => (i18n.exists(`rules.acts.${name}`) ? t(`rules.acts.${name}` as 'rules.acts.add') : name)
  return (
    <Section title={t('rules.log')}>
      {log.length === 0 ? (
        <p className="quiet">{t('rules.noLog')}</p>
      ) : (
        <ol className="journey">
          {log.map((line) => (
            <li key={`${line.at}${line.act}${line.version}`}>
              <strong>
                {line.actor} {act(line.act)} {line.version !== null && `v${line.version}`}{' '}
                {line.everyRule && t('rules.every')}
              </strong>{' '}
              {line.stage !== null && <StageBadge stage={line.stage} share={line.share ?? 1} />}
              <div className="quiet">{dateTime(line.at)}</div>
              <div>{line.reason}</div>
            </li>
          ))}
        </ol>
      )}
    </Section>
  )
}
