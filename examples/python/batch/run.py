"""Label texts of two customers, and count words: `python run.py`, while worker.py runs."""

from tasks import Text, count_words, label

if __name__ == "__main__":
    # Whoever runs a batch task does not know that it is one: each run has a result of its own.
    texts = [Text(customer="ann", words=f"Where is order {n}?") for n in range(150)]
    texts += [Text(customer="bob", words=f"Order {n} has come.") for n in range(50)]
    labels = label.run_many([label.create_bulk_run_item(text) for text in texts])
    print(f"first: {labels[0].label}, last: {labels[-1].label}")
    print(f"sizes of batches: {sorted({one.together_with for one in labels})}")

    few = [Text(customer="ann", words=words) for words in ("one", "two words", "three more words")]
    totals = count_words.run_many([count_words.create_bulk_run_item(text) for text in few])
    print(f"words: {[total.words for total in totals]}")
