import { NativeSelect, Textarea, TextInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import type { RequestOpened } from '../../../schemas/requests.ts'
import { useChangeAddress } from '../address.ts'
import { post } from '../api.ts'
import { useFields } from '../fields.ts'
import { RIGHTS } from '../rights.ts'
import { FormDialog } from './form-dialog.tsx'

const CHANNELS = ['letter', 'email', 'phone', 'in_person', 'chat', 'authority', 'other'] as const
const IDENTIFIERS = ['email', 'phone', 'cpf', 'userId'] as const
/** A request that came by letter or telephone: its clock runs from the day it arrived, whenever it is entered. */
export function NewRequestDialog({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation()
  const queries = useQueryClient()
  const change = useChangeAddress()
  const { form, field } = useFields(
    {
      right: 'access',
      channel: 'letter',
      receivedAt: new Date().toISOString().slice(0, 10),
      type: 'email',
      value: '',
      name: '',
      contact: '',
      text: '',
      reference: '',
      dueAt: '',
    },
    { mb: 'sm' },
  )
  const authority = form.channel === 'authority'
  const open = useMutation({
    mutationFn: () =>
      post<RequestOpened>('/api/requests', {
        channel: form.channel,
        receivedAt: form.receivedAt,
        ...(authority
          ? { kind: 'authority', ...(form.dueAt && { dueAt: form.dueAt }) }
          : { kind: 'subject', right: form.right }),
        ...(form.value.trim() && { identifiers: [{ type: form.type, value: form.value.trim() }] }),
        ...(form.name.trim() && { name: form.name.trim() }),
        ...(form.contact.trim() && { contact: form.contact.trim() }),
        ...(form.text.trim() && { text: form.text.trim() }),
        ...(form.reference.trim() && { reference: form.reference.trim() }),
      }),
    onSuccess: ({ id }) => {
      onClose()
      change({ item: id })
    },
    onSettled: () => void queries.invalidateQueries({ queryKey: ['requests'] }),
  })
  return (
    <FormDialog
      onClose={onClose}
      title={t('requests.enter')}
      text={t('requests.enterText')}
      act={t('requests.enterGo')}
      pending={open.isPending}
      error={open.error}
      go={() => open.mutate()}
    >
      <NativeSelect
        label={t('requests.channel')}
        data={CHANNELS.map((value) => ({ value, label: t(`requests.channels.${value}`) }))}
        {...field('channel')}
      />
      {authority ? (
        <TextInput type="date" label={t('requests.authorityDue')} {...field('dueAt')} />
      ) : (
        <NativeSelect
          label={t('requests.right')}
          data={RIGHTS.map((value) => ({ value, label: t(`requests.rights.${value}`) }))}
          {...field('right')}
        />
      )}
      <TextInput
        type="date"
        label={t('requests.arrived')}
        description={t('requests.arrivedHint')}
        required
        withAsterisk={false}
        {...field('receivedAt')}
      />
      <div className="filters">
        <NativeSelect
          label={t('requests.identifier')}
          data={IDENTIFIERS.map((value) => ({ value, label: t(`requests.identifiers.${value}`) }))}
          {...field('type')}
        />
        <TextInput
          style={{ flex: 1 }}
          label={t('requests.identifierValue')}
          required={!authority}
          withAsterisk={false}
          autoComplete="off"
          {...field('value')}
        />
      </div>
      <TextInput label={t('requests.name')} autoComplete="off" {...field('name')} />
      <TextInput
        label={t('requests.contact')}
        description={t('requests.contactHint')}
        autoComplete="off"
        {...field('contact')}
      />
      <Textarea label={t('requests.text')} autosize minRows={2} {...field('text')} />
      <TextInput
        label={t('requests.reference')}
        description={t('requests.referenceHint')}
        autoComplete="off"
        {...field('reference')}
      />
    </FormDialog>
  )
}
