/** One entry of the consent ledger: what it says in words first, then its proof, which the browser itself checks. */
import { Alert, Button, Drawer } from '@mantine/core'
import { IconDownload, IconShieldCheck } from '@tabler/icons-react'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import type { LedgerProof, LedgerStatus } from '../../../schemas/ledger.ts'
import { useAddress, useChangeAddress } from '../address.ts'
import { get } from '../api.ts'
import { saveFile } from '../csv.ts'
import { dateTime, number } from '../format.ts'
import { canVerify, type Verdict, verifyReceipt } from '../verify.ts'
import { ConsentFacts, useConsentWords } from './consent-words.tsx'
import { Badge } from './exit-badge.tsx'
import { Failure, Loading } from './states.tsx'

export function EntryDrawer() {
  const { t } = useTranslation()
  const { entry } = useAddress()
  const change = useChangeAddress()
  return (
    <Drawer
      opened={entry !== undefined}
      onClose={() => change({ entry: undefined })}
      position="right"
      size="lg"
      title={<strong>{t('ledger.proof.title')}</strong>}
      closeButtonProps={{ 'aria-label': t('app.close') }}
    >
      {entry !== undefined && <Proof id={entry} />}
    </Drawer>
  )
}

function Proof({ id }: { id: string }) {
  const { data, error, refetch } = useQuery({
    queryKey: ['ledger', 'proof', id],
    queryFn: () => get<LedgerProof>(`/api/ledger/entries/${encodeURIComponent(id)}/proof`),
    refetchInterval: ({ state }) => (state.data?.state === 'pending' ? 10_000 : false),
  })
  if (error) return <Failure error={error} retry={() => void refetch()} />
  if (!data) return <Loading lines={6} />
  return <ProofView proof={data} />
}

function ProofView({ proof }: { proof: LedgerProof }) {
  const { t } = useTranslation()
  const words = useConsentWords()
  const { entry, checkpoint, receipt, payload } = proof
  return (
    <div>
      <Badge tone={proof.state === 'proven' ? 'delivered' : 'waiting'}>{t(`ledger.proof.state.${proof.state}`)}</Badge>
      <p className="lead">
        {entry.status !== null && entry.purpose !== null
          ? t('ledger.proof.sentence', {
              status: words.value(entry.status),
              purpose: entry.purpose,
              actor: words.value(entry.actor),
              time: dateTime(entry.at),
            })
          : t('ledger.proof.sentenceHub', { act: words.act(entry.type), time: dateTime(entry.at) })}
      </p>
      <p className="quiet" style={{ margin: 0 }}>
        {t(proof.lastWord ? 'ledger.proof.lastWord' : 'ledger.proof.notLastWord')}
      </p>

      <section className="section">
        <h3>{t('ledger.proof.check')}</h3>
        {receipt === null || checkpoint === null ? (
          <p style={{ margin: 0 }}>{t('ledger.proof.pendingText')}</p>
        ) : (
          <>
            <p style={{ marginTop: 0 }}>
              {t('ledger.proof.provenText', {
                index: number(entry.seq ?? 0),
                size: number(checkpoint.size),
                time: dateTime(checkpoint.at),
              })}
            </p>
            <Verify receipt={receipt} id={entry.id} />
          </>
        )}
      </section>

      <section className="section">
        <h3>{t('ledger.proof.payload')}</h3>
        <p style={{ margin: 0 }}>
          {t(`ledger.proof.payloadState.${payload.state}`)}
          {payload.destroyedBy !== null &&
            ` ${t('ledger.proof.destroyedAt', { time: dateTime(payload.destroyedBy.at) })}`}
        </p>
      </section>

      <section className="section">
        <h3>{t('ledger.proof.facts')}</h3>
        <ConsentFacts entry={entry.public} />
        <dl className="facts">
          <dt>{t('ledger.column.type')}</dt>
          <dd>
            {words.act(entry.type)} <span className="mono quiet">{entry.type}</span>
          </dd>
          <dt>{t('ledger.column.subject')}</dt>
          <dd className="mono">{entry.subject}</dd>
          <dt>{t('now.detail.id')}</dt>
          <dd className="mono">{entry.id}</dd>
          {proof.leaf !== null && (
            <>
              <dt>{t('ledger.proof.leaf')}</dt>
              <dd className="mono">{proof.leaf}</dd>
            </>
          )}
          {checkpoint !== null && (
            <>
              <dt>{t('ledger.proof.root')}</dt>
              <dd className="mono">{checkpoint.root}</dd>
            </>
          )}
        </dl>
        <details>
          <summary>{t('ledger.proof.raw')}</summary>
          <pre className="raw">{JSON.stringify(entry.public, null, 2)}</pre>
        </details>
      </section>
    </div>
  )
}

/** The hub gives the receipt; whether it holds is computed here. */
function Verify({ receipt, id }: { receipt: string; id: string }) {
  const { t } = useTranslation()
  const verify = useMutation({
    mutationFn: async (): Promise<Verdict & { fingerprint: string }> => {
      const { key } = await get<LedgerStatus>('/api/ledger')
      return { ...(await verifyReceipt(receipt, key.verifier)), fingerprint: key.fingerprint }
    },
  })
  return (
    <>
      <div className="acts">
        <Button
          size="xs"
          leftSection={<IconShieldCheck size={15} aria-hidden />}
          loading={verify.isPending}
          disabled={!canVerify()}
          onClick={() => verify.mutate()}
        >
          {t('ledger.proof.verify')}
        </Button>
        <Button
          size="xs"
          variant="default"
          leftSection={<IconDownload size={15} aria-hidden />}
          onClick={() => saveFile(`${id}.tlog-proof`, 'text/plain', receipt)}
        >
          {t('ledger.proof.download')}
        </Button>
      </div>
      {!canVerify() && <p className="quiet">{t('ledger.proof.needsHttps')}</p>}
      <div role="status">
        {verify.data && (
          <Alert
            mt="sm"
            variant="outline"
            color={verify.data.ok ? 'green' : 'red'}
            title={t(verify.data.ok ? 'ledger.proof.valid' : 'ledger.proof.invalid')}
          >
            {verify.data.ok
              ? t('ledger.proof.validText', { fingerprint: verify.data.fingerprint.slice(0, 16) })
              : t(`ledger.proof.failed.${verify.data.failed ?? 'form'}`)}
          </Alert>
        )}
      </div>
      {verify.error && <Failure error={verify.error} />}
    </>
  )
}
