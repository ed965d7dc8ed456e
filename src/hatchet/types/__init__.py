"""Value types of the public interface, one module for each subject."""
