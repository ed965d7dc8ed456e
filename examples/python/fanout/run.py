"""Count the words of a book, page by page: `python run.py`, while worker.py runs."""

from tasks import Book, count_book

if __name__ == "__main__":
    words = count_book.run(Book(pages=100))
    print(f"{words.count:,} words on 100 pages")
