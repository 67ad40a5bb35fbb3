"""What our rules find in mails, texts and addresses that nobody here wrote: `make evidence`."""
